import type { BidRecord } from '../../proto/ad-event.ts';
import { encodeRecord, signerOf } from '../../proto/notice.ts';
import type { LiveExchange } from '../../proto/snapshot.ts';
import { clickContext, type EventDetail, eventContext } from './paths.ts';

/** The addresses that a bid carries. In the ones for the exchange it puts its values in place of `${AUCTION_…}`. */
export interface NoticeAddresses {
  readonly win: string;
  readonly billing: string;
  readonly loss: string;
  /** The impression pixel, also the address in VAST's Impression. */
  readonly impression: string;
  /** Counts a click and leads to `landing`, which is signed. */
  click(landing: string): string;
  /** The same as text of HTML. `encoded`: `landing` as `encodeURIComponent` has it, as text of HTML too. */
  clickInHtml(landing: string, encoded: string): string;
  /** What the ad reports while it is shown. */
  event(detail: EventDetail): string;
}

/**
 * OpenRTB 2.6, 4.4. They are substituted without URL encoding, and no value that an exchange gives them needs one: decimals,
 * codes, web-safe Base64.
 */
const MIN_TO_WIN = 'm=${AUCTION_MIN_TO_WIN}';
const LOSS = 'l=${AUCTION_LOSS}';
/** Screens out of home: how many people saw the play, and when it was. */
const PLAY = 'x=${AUCTION_MULTIPLIER}&t=${AUCTION_IMP_TS}';

const CURRENCY = 'c=${AUCTION_CURRENCY}';

/** The macro of the price: with a suffix where it comes encoded in another way than by the exchange's own cipher. */
export function priceMacroOf({ price }: Pick<LiveExchange, 'price'>): PriceMacro {
  return price.kind === 'b64' ? '${AUCTION_PRICE:B64}' : '${AUCTION_PRICE}';
}

export type PriceMacro = '${AUCTION_PRICE}' | '${AUCTION_PRICE:B64}';

export function noticeAddresses(
  record: BidRecord,
  publicUrl: string,
  secret: string,
  isScreen = false,
  priceMacro: PriceMacro = '${AUCTION_PRICE}',
): NoticeAddresses {
  const payload = encodeRecord(record);
  const sign = signerOf(payload, secret);
  const at = (path: string, context = path): string => `${publicUrl}/n/${path}?d=${payload}&s=${sign(context)}`;
  const cleared = `p=${priceMacro}&${CURRENCY}`;
  const price = isScreen ? `${cleared}&${PLAY}` : cleared;
  return {
    win: `${at('win')}&${price}&${MIN_TO_WIN}`,
    billing: `${at('bill')}&${price}&${MIN_TO_WIN}`,
    loss: `${at('loss')}&${LOSS}&${cleared}&${MIN_TO_WIN}`,
    impression: `${at('imp')}&${price}`,
    click: (landing) => `${at('click', clickContext(landing))}&u=${encodeURIComponent(landing)}`,
    clickInHtml: (landing, encoded) => `${publicUrl}/n/click?d=${payload}&amp;s=${sign(clickContext(landing))}&amp;u=${encoded}`,
    event: (detail) => `${at('event', eventContext(detail))}&e=${detail}`,
  };
}
