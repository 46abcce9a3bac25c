import type { AdEvent } from '../proto/ad-event.ts';
import { eventOf } from './booking.ts';
import type { Choice } from './core/choice.ts';
import type { Metrics } from './metrics.ts';
import type { Outbox } from './outbox.ts';
import { type Recorded, recordOf, wholeMetres } from './record.ts';

/** An auction that a ghost has won. */
interface Haunted extends Recorded {
  readonly deps: Recorded['deps'] & {
    readonly writeGhosts: (events: readonly AdEvent[]) => Promise<void>;
    readonly metrics: Pick<Metrics, 'ghosts'>;
    readonly outbox: Pick<Outbox, 'push'>;
  };
  /** Monotonic ms. */
  readonly deadline: number;
}

/**
 * Ghosts are what lift is measured against, so they are durable before the answer. Where that is not known in time they go to
 * the outbox: an event is known by (type, bid), so one that was written after all is not counted twice.
 */
export async function keepGhosts(auction: Haunted, ghosts: readonly Choice[]): Promise<boolean> {
  const { deps, deadline, now, permission } = auction;
  const events = ghosts.map((choice) =>
    eventOf(recordOf(auction, choice, ''), 'ghost', now, { metres: wholeMetres(choice, permission) }),
  );
  const durable = await inTime(deps.writeGhosts(events), deadline);
  deps.metrics.ghosts.inc({ result: durable ? 'durable' : 'late' }, events.length);
  if (!durable) for (const event of events) deps.outbox.push(event);
  return durable;
}

/** Whether the work succeeds by the deadline (monotonic ms). */
async function inTime(work: Promise<void>, deadline: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, deadline - performance.now()));
  });
  const done = work.then(
    () => true,
    () => false,
  );
  const result = await Promise.race([done, late]);
  clearTimeout(timer);
  return result;
}
