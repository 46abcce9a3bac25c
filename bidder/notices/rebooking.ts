import type { AdEvent } from '../../proto/ad-event.ts';
import type { Book, BookingOptions } from '../booking.ts';

/** Bookings that nobody will ask for again, kept until they are done. Bounded. */
export interface Rebooking {
  /** False where there is no room: then the caller must say so. */
  keep(event: AdEvent, options: BookingOptions): boolean;
  /** Stops, and tries for `ms` to book what is left; the events that could not be. */
  close(ms: number): Promise<readonly AdEvent[]>;
}

export interface RebookingOptions {
  readonly capacity?: number;
  readonly retryMs?: number;
}

interface Kept {
  readonly event: AdEvent;
  readonly options: BookingOptions;
}

/** Under way at a time. */
const BATCH = 100;

/** A booking that was done after all changes nothing when it is asked for again, so nothing is booked twice. */
export function createRebooking(book: Book, { capacity = 20_000, retryMs = 250 }: RebookingOptions = {}): Rebooking {
  let waiting: Kept[] = [];
  let timer: NodeJS.Timeout | null = null;
  let trying: Promise<void> | null = null;
  let closed = false;
  return { keep, close };

  function keep(event: AdEvent, options: BookingOptions): boolean {
    if (closed || waiting.length >= capacity) return false;
    waiting.push({ event, options });
    schedule();
    return true;
  }

  function schedule(): void {
    if (timer !== null || closed) return;
    timer = setTimeout(() => {
      timer = null;
      void tryAll().then(() => {
        if (waiting.length > 0) schedule();
      });
    }, retryMs);
  }

  function tryAll(): Promise<void> {
    trying ??= tryBatches().finally(() => {
      trying = null;
    });
    return trying;
  }

  /** Until all is booked, or some is not: the rest waits for the next time. */
  async function tryBatches(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH);
      const failed = (await Promise.all(batch.map(fails))).flatMap((failure) => failure ?? []);
      waiting = [...failed, ...waiting.slice(batch.length)];
      if (failed.length > 0) return;
    }
  }

  function fails(kept: Kept): Promise<Kept | null> {
    return book(kept.event, kept.options).then(
      () => null,
      () => kept,
    );
  }

  async function close(ms: number): Promise<readonly AdEvent[]> {
    closed = true;
    if (timer !== null) clearTimeout(timer);
    const end = performance.now() + ms;
    for (;;) {
      await tryAll();
      if (waiting.length === 0 || performance.now() >= end) return waiting.map(({ event }) => event);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
