/** Remembers which bid a message was for, so that the price of one sale is not told for another. Of the last ones: bounded. */
export function createReplayGuard(capacity = 100_000): (iv: string, bid: string) => boolean {
  const bids = new Map<string, string>();
  return (iv, bid) => {
    const before = bids.get(iv);
    if (before !== undefined) return before !== bid;
    bids.set(iv, bid);
    // A Map keeps the order of insertion: the first is the oldest.
    if (bids.size > capacity) for (const oldest of bids.keys()) return bids.delete(oldest) && false;
    return false;
  };
}
