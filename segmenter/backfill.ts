import type { Logger } from 'pino';
import { readHeld, segmentsNeeded } from '../dmp/publication/needed.ts';
import { STATE_KEY } from '../dmp/publication/values.ts';
import { type PublishDeps, publish } from './publish.ts';

const DEBOUNCE_MS = 100;
/** Things that decide which segments a live line item needs, or a lookup, and which the guard rails withhold. */
const DECIDES: ReadonlySet<string> = new Set(['line-item', 'campaign', 'exchange', 'segment', 'source', 'destination']);

/**
 * Publishes the members of a segment as soon as a line item goes live that needs it, or may use it again, without waiting for a refresh.
 * It may run beside one, here or in another process: values are written in sequence.
 */
export function startBackfill(deps: PublishDeps & { readonly log: Logger }): { close(): Promise<void> } {
  const { things, log, now } = deps;
  /** Needed when it was looked the last time: what was not published then has nothing to publish before its next evaluation. */
  let tried: ReadonlySet<string> = new Set();
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> = Promise.resolve();
  let isClosed = false;

  const look = async (): Promise<void> => {
    const needed = segmentsNeeded(things, now(), await readHeld(deps.warehouse, things));
    const published = await deps.redis.hkeys(STATE_KEY);
    const isMore = [...needed].some((id) => !tried.has(id) && !published.includes(`s:${id}`));
    tried = needed;
    if (!isMore || isClosed) return;
    // Before the first refresh there is nothing to back-fill.
    if (published.includes('full')) await publish(deps);
  };
  things.onChange((kind) => {
    if (!DECIDES.has(kind) || timer !== null || isClosed) return;
    timer = setTimeout(() => {
      timer = null;
      running = running.then(look).catch((error: unknown) => {
        log.warn({ err: error }, 'segments were not published ahead of the next refresh');
      });
    }, DEBOUNCE_MS);
  });
  return {
    close: async () => {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      await running;
    },
  };
}
