/**
 * Said on STOPPED_CHANNEL the moment that line items are paused or deleted, for bidders to stop at once: the next snapshot, which takes
 * seconds, is without them anyway. So it does not matter where it is lost.
 */
export interface Stop {
  readonly lineItems: readonly string[];
  /** Epoch ms on the clock of the snapshots: those made later know it. */
  readonly at: number;
}

export const encodeStop = (stop: Stop): string => JSON.stringify(stop);

/** Null where it is none. */
export function decodeStop(text: string): Stop | null {
  try {
    const { lineItems, at } = JSON.parse(text) as Partial<Stop>;
    const isStop = Array.isArray(lineItems) && lineItems.every((id) => typeof id === 'string') && typeof at === 'number';
    return isStop ? { lineItems, at } : null;
  } catch {
    return null;
  }
}
