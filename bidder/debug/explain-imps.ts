import type { Finding, PriceStep } from '../../proto/debug.ts';
import { impressionCost, type Micros } from '../../proto/money.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import { screenBlocks } from '../core/blocks.ts';
import type { Explained } from '../core/explain.ts';
import { fitCreative } from '../core/fit.ts';
import type { LineItem } from '../core/line-item.ts';
import { moneyFor, quoteOf } from '../core/quote.ts';
import type { Round } from '../core/round.ts';
import { screenCaps, screenSpot } from '../core/screen.ts';
import { screenWay, spotFloor, type Way } from '../core/ways.ts';
import type { Imp } from '../openrtb/request.ts';

/** What became of a line item at each imp and each way to buy it. */
export interface AtImps {
  readonly findings: readonly Finding[];
  readonly prices: readonly PriceStep[];
  /** It could be bid at one of them at least. */
  readonly passes: boolean;
}

/** Requests may have hundreds of imps and deals; what is told stays readable. */
const MOST_WAYS = 50;

/** The filters that depend on the imp: each is asked, whatever the others say. `left`: micros that budgets have, null: no limit. */
export function explainImps(round: Round, lineItem: LineItem, explained: Explained, left: Micros | null): AtImps {
  const { imps } = round.question.request;
  const findings: Finding[] = [];
  const prices: PriceStep[] = [];
  let passes = false;
  let asked = 0;
  for (let at = 0; at < imps.length; at++) {
    const imp = imps[at] as Imp;
    const ways = round.ways[at] as readonly Way[];
    if (ways.length === 0) findings.push({ code: 'deal', part: 'deals', imp: imp.id, deal: null, have: null });
    for (const way of ways) {
      if (asked++ === MOST_WAYS) return { findings, prices, passes };
      const { reasons, price } = explainWay(round, lineItem, explained, left, imp, way);
      findings.push(...reasons.map(({ code, part, have }) => ({ code, part, imp: imp.id, deal: way.deal?.id ?? null, have })));
      prices.push(price);
      if (reasons.length === 0) passes = true;
    }
  }
  return { findings, prices, passes };
}

interface Reason {
  readonly code: NoBidReason;
  readonly part: string;
  readonly have: unknown;
}

function explainWay(
  { index, question, turn }: Round,
  lineItem: LineItem,
  { store, metres, price }: Explained,
  left: Micros | null,
  imp: Imp,
  way: Way,
): { readonly reasons: readonly Reason[]; readonly price: PriceStep } {
  const { request, exchange, person, now } = question;
  const reasons: Reason[] = spotReasons(lineItem, imp);
  const add = (code: NoBidReason | null, part: string, have: unknown = null): void => {
    if (code !== null) reasons.push({ code, part, have });
  };
  add(
    screenWay(lineItem, way, index.deals),
    'deals',
    imp.deals.map(({ id }) => id),
  );
  const money = moneyFor(index.rates, now, request.cur, lineItem.currency, way.floorcur);
  const fit = fitCreative({ lineItem, store, metres }, imp, { wlang: request.wlang, exchange }, turn);
  if (typeof fit === 'string') add(fit, 'creatives', placeOf(imp));
  add(screenBlocks(lineItem, request), 'advertiser', {
    badv: request.badv.size,
    bcat: request.bcat.size,
    bapp: request.bapp.size,
  });
  add(screenCaps(lineItem, person, 0, now), 'caps');
  const place =
    typeof fit === 'string' ? null : fit.creative.type === 'video' ? imp.video : fit.creative.type === 'audio' ? imp.audio : null;
  const floor =
    typeof fit === 'string' || place === null || !('duration' in fit.creative)
      ? way.floor
      : spotFloor(way, place, fit.creative.duration);
  const quote = money === null ? 'currency' : quoteOf(price, floor, way.fixed, money);
  if (typeof quote === 'string') add(quote, 'bid', { floor, currency: way.floorcur, cur: request.cur });
  const cost = typeof quote === 'string' ? null : impressionCost(quote.price, imp.multiplier);
  if (cost !== null && left !== null && left < cost && !request.test) add('budget', 'budget', { leftMicros: left });
  return {
    reasons,
    price: {
      imp: imp.id,
      deal: way.deal?.id ?? null,
      maxCpm: lineItem.bid.maxCpm,
      metres: metres === null ? null : Math.round(metres),
      price,
      currency: lineItem.currency,
      floor,
      floorCurrency: way.floorcur,
      fixed: way.fixed,
      offered:
        typeof quote === 'string' || money === null ? null : { cpm: quote.cpm, currency: money.currency, rate: money.rate },
      cost,
      budgetLeft: left,
    },
  };
}

/** What a line item asks of the place, part by part. */
function spotReasons(lineItem: LineItem, imp: Imp): Reason[] {
  const { spot } = lineItem;
  if (spot === null) return [];
  const { instl, rwdd, position, viewability } = imp;
  const have = { positions: position, viewability, interstitial: instl, rewarded: rwdd };
  return (['positions', 'viewability', 'interstitial', 'rewarded'] as const).flatMap((part) => {
    const asked = { positions: null, viewability: null, interstitial: null, rewarded: null, [part]: spot[part] };
    const code = screenSpot({ ...lineItem, spot: asked }, imp);
    return code === null ? [] : [{ code, part, have: have[part] }];
  });
}

function placeOf({ banner, video, audio, native, secure }: Imp): object {
  return {
    secure,
    ...(banner === null ? {} : { sizes: banner.sizes }),
    ...(video === null ? {} : { video: [video.w, video.h], seconds: [video.minduration, finite(video.maxduration)] }),
    ...(audio === null ? {} : { audio: [audio.minduration, finite(audio.maxduration)] }),
    ...(native === null ? {} : { assets: native.assets.filter(({ required }) => required).length }),
  };
}

function finite(seconds: number): number | null {
  return Number.isFinite(seconds) ? seconds : null;
}
