import type { WireBid, WireResponse } from '../../proto/openrtb.ts';
import { type Connection, pathOn } from './connection.ts';
import { persist } from './patience.ts';

/** What an exchange knows when it calls a notice; a value it does not know is an empty text. */
export interface AuctionFacts {
  readonly auction: string;
  readonly response: WireResponse;
  readonly bid: WireBid;
  /** CPM as text, or '' */
  readonly price: string;
  readonly loss: string;
  readonly minToWin: string;
  /** When the impression was shown, epoch ms, or ''. */
  readonly shownAt: string;
}

/** Expands the exchange's macros as exchanges do: a plain replacement without URL encoding (OpenRTB 2.6, 4.4). */
export function expand(text: string, facts: AuctionFacts): string {
  const values: Readonly<Record<string, string>> = {
    AUCTION_ID: facts.auction,
    AUCTION_BID_ID: facts.response.bidid ?? '',
    AUCTION_IMP_ID: facts.bid.impid,
    AUCTION_SEAT_ID: facts.response.seatbid[0]?.seat ?? '',
    AUCTION_AD_ID: facts.bid.adid ?? '',
    AUCTION_PRICE: facts.price,
    AUCTION_CURRENCY: facts.response.cur ?? 'USD',
    AUCTION_MBR: facts.price === '' ? '' : '1',
    AUCTION_LOSS: facts.loss,
    AUCTION_MIN_TO_WIN: facts.minToWin,
    AUCTION_MULTIPLIER: '1',
    AUCTION_IMP_TS: facts.shownAt,
  };
  return text.replace(/\$\{(AUCTION_[A-Z_]+)\}/g, (macro, name: string) => values[name] ?? macro);
}

/** Calls an address of ours until it is taken. Returns the status and where it leads; throws when patience ends. */
export async function callNotice(
  bidder: Connection,
  address: string,
  at: number,
): Promise<{ status: number; location: string | null }> {
  const path = pathOn(bidder, address);
  if (path === null) throw new Error(`a notice leads elsewhere: ${address.slice(0, 120)}`);
  const answer = await persist(bidder, { path, headers: { 'x-walkin-time': String(at) } });
  return { status: answer.status, location: answer.headers.location ?? null };
}

/** The pixels that a browser would load, and the address that a tap on the ad would open. */
export function linksOf(markup: string): { pixels: string[]; click: string | null } {
  const pixels = [...markup.matchAll(/<img[^>]+src=["']([^"']+)["']/gi)].map((match) => plainText(match[1] as string));
  const click = /<a[^>]+href=["']([^"']+)["']/i.exec(markup)?.[1];
  return { pixels, click: click === undefined ? null : plainText(click) };
}

function plainText(attribute: string): string {
  return attribute.replaceAll('&amp;', '&');
}
