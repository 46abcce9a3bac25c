import type { WireBid, WireResponse } from '../proto/openrtb.ts';

type Write = (response: WireResponse) => { readonly length: number };

/**
 * The response without the bids for which an exchange has no room: the cheapest go first, of as cheap ones the last. `write` makes its
 * bytes, uncompressed. Null where not even one bid fits. Takes time by the length of the response, once for each bid and once for all.
 */
export function withinBytes(response: WireResponse, most: number | null, write: Write): WireResponse | null {
  if (most === null) return response;
  let bytes = write(response).length;
  if (bytes <= most) return response;
  const bids = response.seatbid.flatMap(({ bid }) => bid);
  // Sorting is stable: of as cheap ones the last comes first.
  const cheapest = bids.reverse().sort((a, b) => a.price - b.price);
  const none = write(without(response, new Set(bids))).length;
  const dropped = new Set<WireBid>();
  for (const bid of cheapest) {
    if (bytes <= most) {
      const left = without(response, dropped);
      bytes = write(left).length;
      if (bytes <= most) return left;
    }
    dropped.add(bid);
    bytes -= write(only(response, bid)).length - none;
  }
  return null;
}

function without({ seatbid, ...rest }: WireResponse, dropped: ReadonlySet<WireBid>): WireResponse {
  const left = seatbid.map((seat) => ({ ...seat, bid: seat.bid.filter((bid) => !dropped.has(bid)) }));
  return { ...rest, seatbid: left.filter(({ bid }) => bid.length > 0) };
}

function only({ seatbid, ...rest }: WireResponse, bid: WireBid): WireResponse {
  return { ...rest, seatbid: seatbid.slice(0, 1).map((seat) => ({ ...seat, bid: [bid] })) };
}
