import { dataCost, impressionCost, type Micros } from '../../proto/money.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import type { LiveStore } from '../../proto/snapshot.ts';
import type { Deal, Imp } from '../openrtb/request.ts';
import { screenBlocks } from './blocks.ts';
import { type Fit, fitCreative } from './fit.ts';
import type { Creative, LineItem } from './line-item.ts';
import type { Offer } from './offer.ts';
import { hasRoom } from './pod.ts';
import type { Question } from './question.ts';
import { type Money, moneyFor, quoteOf } from './quote.ts';
import type { Round } from './round.ts';
import { screenCaps, screenSpot } from './screen.ts';
import { screenWay, spotFloor, type Way } from './ways.ts';

/** One line item for one imp. */
export interface Choice {
  readonly imp: Imp;
  readonly lineItem: LineItem;
  readonly fit: Fit;
  readonly creative: Creative;
  /** Deal that it is bid under, or null. */
  readonly deal: Deal | null;
  readonly store: LiveStore | null;
  readonly metres: number | null;
  /** Micros of CPM in the line item's currency. */
  readonly price: Micros;
  /** Currency of the response, the price in it in micros of CPM, and as it is written: a fixed price to its last digit. */
  readonly currency: string;
  readonly offered: Micros;
  readonly cpm: number;
  /** Micros of the line item's currency, of a screen for all who see the play. */
  readonly cost: Micros;
}

/** Answers are kept short enough for any exchange's reader. */
const MAX_ANSWER = 256 * 1024;
/** A bid's notice addresses and fields; a spot has about four times as many addresses. */
const BID_BYTES = 3_000;
const SPOT_BYTES = 12_000;

/** The filters that depend on the imp, cheap ones first. */
export function choiceOf(round: Round, imp: Imp, way: Way, offer: Offer): Choice | NoBidReason {
  const { index, question, turn } = round;
  const { request, exchange, person, now } = question;
  offer.lineItem ??= index.lineItemAt(offer.position);
  const { lineItem } = offer;
  const other = screenWay(lineItem, way, index.deals) ?? screenSpot(lineItem, imp);
  if (other !== null) return other;
  const money = moneyOf(round, way, lineItem.currency);
  if (money === null || (way.floor > 0 && money.floorRate === null)) return 'currency';
  if (!offer.shown) index.match.show(offer);
  const { store, metres } = offer;
  const fit = fitCreative({ lineItem, store, metres }, imp, { wlang: request.wlang, exchange }, turn);
  if (typeof fit === 'string') return fit;
  const { creative } = fit;
  if (round.bytes + bytesOf(creative) > MAX_ANSWER || !hasSeconds(round, imp, creative)) return 'no_creative';
  const late = screenBlocks(lineItem, request) ?? screenCaps(lineItem, person, offer.used, now);
  if (late !== null) return late;
  const quote = quoteOf(offer.price, floorOf(way, imp, creative), way.fixed, money);
  if (typeof quote === 'string') return quote;
  const media = impressionCost(quote.price, imp.multiplier);
  const cost = media + dataCost(lineItem.data, media);
  if (!hasAllowance(lineItem, offer.reserved, cost, question)) return 'budget';
  const { price, offered, cpm } = quote;
  const { currency } = money;
  // Written out: fields behind a spread are added one by one.
  return { imp, lineItem, fit, creative, deal: way.deal, store, metres, price, currency, offered, cpm, cost };
}

function hasSeconds({ seconds }: Round, imp: Imp, creative: Creative): boolean {
  return !('duration' in creative) || hasRoom(imp, creative.type, seconds, creative.duration);
}

/** Asked last, so that no allowance is leased for what could not be bid. */
function hasAllowance(lineItem: LineItem, reserved: Micros, cost: Micros, { request, allowance, now }: Question): boolean {
  return !lineItem.limited || request.test || allowance(lineItem, cost, now) >= reserved + cost;
}

function moneyOf({ index, question, currency }: Round, { floorcur }: Way, own: string): Money | null {
  return moneyFor(index.rates, question.now, currency === null ? question.request.cur : [currency], own, floorcur);
}

function floorOf(way: Way, imp: Imp, creative: Creative): number {
  const place = creative.type === 'video' ? imp.video : creative.type === 'audio' ? imp.audio : null;
  return place === null || !('duration' in creative) ? way.floor : spotFloor(way, place, creative.duration);
}

export function bytesOf({ type, bytes }: Creative): number {
  return bytes + (type === 'video' || type === 'audio' ? SPOT_BYTES : BID_BYTES);
}
