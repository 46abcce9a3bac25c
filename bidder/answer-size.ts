import type { WireBid, WireResponse } from '../proto/openrtb.ts';

/**
 * The response without the bids for which an exchange has no room: the cheapest go first, of as cheap ones the last. `write` makes its
 * bytes, uncompressed. Null where not even one bid fits.
 */
export function withinBytes(
  response: WireResponse,
  most: number | null,
  write: (response: WireResponse) => Buffer,
): WireResponse | null {
  if (most === null) return response;
  let left = response;
  while (write(left).length > most) {
    const cheapest = cheapestOf(left);
    const seatbid = left.seatbid
      .map((seat) => ({ ...seat, bid: seat.bid.filter((bid) => bid !== cheapest) }))
      .filter(({ bid }) => bid.length > 0);
    if (seatbid.length === 0) return null;
    left = { ...left, seatbid };
  }
  return left;
}

function cheapestOf({ seatbid }: WireResponse): WireBid | undefined {
  let cheapest: WireBid | undefined;
  for (const { bid: bids } of seatbid)
    for (const bid of bids) if (cheapest === undefined || bid.price <= cheapest.price) cheapest = bid;
  return cheapest;
}
