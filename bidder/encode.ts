import type { BidRecord } from '../proto/ad-event.ts';
import type { WireBid, WireResponse } from '../proto/openrtb.ts';
import type { LiveExchange } from '../proto/snapshot.ts';
import { CONTENT_1, categoriesIn } from './core/categories.ts';
import type { Choice } from './core/choice.ts';
import { attributesOf } from './core/fit.ts';
import { fillMacros, macroValues } from './core/texts.ts';
import { bannerMarkup } from './markup/banner.ts';
import { nativeMarkup } from './markup/native.ts';
import { spotMarkup } from './markup/vast.ts';
import { type NoticeAddresses, noticeAddresses, priceMacroOf } from './notices/address.ts';
import type { NativeImp } from './openrtb/request.ts';

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

/** OpenRTB's markup types. */
export const MTYPES = { banner: 1, video: 2, audio: 3, native: 4 } as const;

/** The response to `request.id` with at least one bid; `cattax`: taxonomy in which the request writes categories. */
export function responseOf(
  auction: string,
  exchange: LiveExchange,
  bids: readonly Bid[],
  options: EncodeOptions,
  cattax = CONTENT_1,
): WireResponse {
  const [first] = bids;
  const { seat } = exchange;
  return {
    id: auction,
    bidid: first?.record.bid ?? '',
    cur: first?.choice.currency ?? 'USD',
    seatbid: [{ ...(seat === null ? {} : { seat }), bid: bids.map((bid) => wireBid(bid, exchange, options, cattax)) }],
  };
}

function wireBid({ choice, record }: Bid, exchange: LiveExchange, options: EncodeOptions, cattax: number): WireBid {
  const { lineItem, creative, deal, imp } = choice;
  // Only a screen has more than one viewer of a play, and counts them anew when it plays.
  const addresses = noticeAddresses(
    record,
    options.publicUrl,
    options.noticeSecret,
    imp.multiplier !== 1,
    priceMacroOf(exchange),
  );
  // What is absent is undefined and so not written: a spread for each of these took 6 µs of a bid.
  const { w, h, dur, protocol, slotinpod } = mediaFields(choice);
  const asked = categoriesIn(lineItem.categories, cattax);
  const isAsked = asked.length > 0 && cattax !== CONTENT_1;
  const bid: { [Field in keyof WireBid]: WireBid[Field] | undefined } = {
    id: record.bid,
    impid: record.imp,
    price: choice.cpm,
    adid: creative.id,
    adm: markupOf(choice, record, addresses),
    adomain: lineItem.domains as string[],
    bundle: lineItem.bundle === '' ? undefined : lineItem.bundle,
    iurl: creative.iurl ?? undefined,
    cid: lineItem.campaign,
    crid: creative.id,
    cat: (isAsked ? asked : categoriesIn(lineItem.categories, CONTENT_1)) as string[],
    cattax: isAsked ? cattax : undefined,
    attr: attributesOf(choice.fit) as number[],
    apis: creative.apis.length === 0 ? undefined : (creative.apis as number[]),
    language: creative.language ?? undefined,
    dealid: deal?.id,
    w,
    h,
    dur,
    protocol,
    slotinpod,
    mtype: MTYPES[creative.type],
    exp: expOf(imp, options),
    nurl: addresses.win,
    burl: isBilledByVast(choice, exchange) ? undefined : addresses.billing,
    lurl: addresses.loss,
    ext: exchange.adLabel && lineItem.adLabel !== null ? { nroa: labelOf(lineItem.adLabel) } : undefined,
  };
  return bid as WireBid;
}

/** Seconds that a bid stands. */
export function expOf({ exp }: Choice['imp'], { reservationSeconds }: EncodeOptions): number {
  return exp > 0 ? Math.min(exp, reservationSeconds) : reservationSeconds;
}

/** Where the VAST impression is what the exchange bills, a `burl` would ask for the money twice. */
function isBilledByVast({ fit }: Choice, { billing }: LiveExchange): boolean {
  return billing === 'vast' && 'spot' in fit;
}

/** Size, length and protocol, as far as the format has them. */
function mediaFields({ fit, imp }: Choice): Partial<WireBid> {
  if ('assets' in fit) return {};
  if (!('spot' in fit)) return { w: fit.creative.w, h: fit.creative.h };
  const { creative, spot } = fit;
  const spotFields = { dur: Math.round(creative.duration), protocol: spot.format.protocol };
  const [file] = spot.media;
  const slot = imp[creative.type]?.slotinpod ?? 0;
  const slotFields = slot === 0 ? {} : { slotinpod: slot };
  if (creative.type === 'audio' || file === undefined) return { ...spotFields, ...slotFields };
  return { w: file.w, h: file.h, ...spotFields, ...slotFields };
}

/** Advertising label of Russian law, as Yandex and others take it. */
function labelOf({ erid, inn, name }: NonNullable<Choice['lineItem']['adLabel']>): Record<string, unknown> {
  return { erid, client: { inn, name } };
}

function markupOf(choice: Choice, record: BidRecord, addresses: NoticeAddresses): string {
  const { fit, imp, lineItem } = choice;
  const values = macroValues(choice, fit.creative.id, record.bid);
  const click = addresses.click(fillMacros(fit.creative.landing, values, encodeURIComponent));
  if ('assets' in fit) return nativeMarkup(imp.native as NativeImp, fit.assets, click, addresses);
  if (!('spot' in fit)) return bannerMarkup(fit.creative, values, click, addresses);
  const { creative, spot } = fit;
  return spotMarkup({ creative, fit: spot, lineItem, bid: record.bid, values, click, addresses });
}
