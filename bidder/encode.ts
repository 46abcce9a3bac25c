import type { BidRecord } from '../proto/ad-event.ts';
import { microsToCpm } from '../proto/money.ts';
import { encodeRecord, sign } from '../proto/notice.ts';
import type { WireBid, WireResponse } from '../proto/openrtb.ts';
import type { Choice } from './core/decide.ts';
import { escapeHtml, fillMacros, macroValues } from './markup.ts';
import { clickContext, type NoticePath } from './notice-paths.ts';

export interface EncodeOptions {
  /** Base of all our addresses, without a slash at the end. */
  readonly publicUrl: string;
  readonly noticeSecret: string;
  /** Seconds that a bid stands, `bid.exp`. */
  readonly reservationSeconds: number;
}

export interface Bid {
  readonly choice: Choice;
  readonly record: BidRecord;
}

/** The exchange puts its values in place of these, without URL encoding. */
const PRICE = 'p=${AUCTION_PRICE}&c=${AUCTION_CURRENCY}';
const MIN_TO_WIN = 'm=${AUCTION_MIN_TO_WIN}';
const LOSS = 'l=${AUCTION_LOSS}';

/** The JSON of a response to `request.id` with at least one bid. */
export function encodeResponse(auction: string, seat: string | null, bids: readonly Bid[], options: EncodeOptions): string {
  const [first] = bids;
  const seatbid = { ...(seat === null ? {} : { seat }), bid: bids.map((bid) => encodeBid(bid, options)) };
  const response: WireResponse = {
    id: auction,
    bidid: first?.record.bid ?? '',
    cur: first?.choice.lineItem.currency ?? 'USD',
    seatbid: [seatbid],
  };
  return JSON.stringify(response);
}

function encodeBid({ choice, record }: Bid, options: EncodeOptions): WireBid {
  const { lineItem, creative } = choice;
  const payload = encodeRecord(record);
  const address = (path: NoticePath): string =>
    `${options.publicUrl}/n/${path}?d=${payload}&s=${sign(payload, path, options.noticeSecret)}`;
  return {
    id: record.bid,
    impid: record.imp,
    price: microsToCpm(record.price),
    adid: creative.id,
    adm: markupOf(choice, record, payload, `${address('imp')}&${PRICE}`, options),
    adomain: [...lineItem.domains],
    ...(creative.iurl === null ? {} : { iurl: creative.iurl }),
    cid: lineItem.campaign,
    crid: creative.id,
    cat: [...lineItem.categories],
    attr: [...creative.attributes],
    ...(creative.type === 'banner' ? { w: creative.w, h: creative.h } : {}),
    mtype: 1,
    exp: options.reservationSeconds,
    nurl: `${address('win')}&${PRICE}&${MIN_TO_WIN}`,
    burl: `${address('bill')}&${PRICE}&${MIN_TO_WIN}`,
    lurl: `${address('loss')}&${LOSS}&${PRICE}&${MIN_TO_WIN}`,
  };
}

/** The creative's HTML, and the impression pixel behind it. */
function markupOf(choice: Choice, record: BidRecord, payload: string, pixel: string, options: EncodeOptions): string {
  const values = macroValues(choice, record.bid);
  const landing = fillMacros(choice.creative.landing, values, encodeURIComponent);
  const signature = sign(payload, clickContext(landing), options.noticeSecret);
  const click = `${options.publicUrl}/n/click?d=${payload}&s=${signature}&u=${encodeURIComponent(landing)}`;
  if (choice.creative.type !== 'banner') return '';
  const html = fillMacros(choice.creative.html, { ...values, CLICK_URL: click }, escapeHtml);
  // `&` before a name and `=` is not ambiguous in HTML, so the address stands as it is and is found by plain text search too.
  return `${html}<img src="${pixel}" width="1" height="1" alt="" style="position:absolute">`;
}
