import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { type OfferSheet, type ReadSheet, readSheet, SHEET_CHANNEL, SHEET_KEY } from '../destinations/offer-sheet.ts';
import { Problem } from '../problem.ts';

/** What the dmp says may be told, kept fresh. */
export interface OffersTold extends ReadSheet {
  /** Whether it still counts: the dmp has renewed it within a minute. */
  isCurrent(): boolean;
  close(): void;
}

/** A message that was lost is only late. */
const LOOK_MS = 2_000;

/** Resolves when the sheet was looked for once. `redis` is asked; it is listened on a connection of its own. */
export async function followOffers(redis: Redis, log: Logger): Promise<OffersTold> {
  let text = '';
  let sheet = readSheet({ keys: [], offers: [] });
  let until = 0;
  let asked = 0;
  let heard = 0;
  const look = async (): Promise<void> => {
    const at = ++asked;
    const began = performance.now();
    const [[, found], [, lastsMs]] = (await redis.pipeline().get(SHEET_KEY).pttl(SHEET_KEY).exec()) as [
      [unknown, string | null],
      [unknown, number],
    ];
    if (at < heard) return;
    heard = at;
    if (found === null) {
      until = 0;
      return;
    }
    if (found !== text) sheet = readSheet(JSON.parse(found) as OfferSheet);
    text = found;
    until = began + lastsMs;
  };
  const lookBehind = (): void => void look().catch((error: unknown) => log.warn({ err: error }, 'what is on offer is not read'));
  const subscriber = redis.duplicate();
  subscriber.on('error', () => undefined);
  subscriber.on('message', lookBehind);
  await subscriber.subscribe(SHEET_CHANNEL);
  // What was said while nobody listened was not heard.
  subscriber.on('ready', lookBehind);
  const timer = setInterval(lookBehind, LOOK_MS);
  timer.unref();
  await look();
  const isCurrent = (): boolean => performance.now() < until;
  return {
    isCurrent,
    keyOf: (id) => sheet.keyOf(id),
    allows: (origin, advertiser) => sheet.allows(origin, advertiser),
    codesOf: (advertiser) => {
      if (!isCurrent()) throw notCurrent();
      return sheet.codesOf(advertiser);
    },
    close: () => {
      clearInterval(timer);
      subscriber.disconnect();
    },
  };
}

export function notCurrent(): Problem {
  return new Problem(503, 'unavailable', 'The dmp has not said what is on offer', { headers: { 'retry-after': '2' } });
}
