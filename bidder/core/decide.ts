import { isHeldOut } from '../../proto/bucket.ts';
import { impressionCost, type Micros } from '../../proto/money.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import { isPreciseFor, type Signal, signalOf } from '../../proto/signal.ts';
import type { LiveExchange, LiveStore } from '../../proto/snapshot.ts';
import type { BidRequest, Deal, Imp, Location } from '../openrtb/request.ts';
import { screenSupply } from '../supply.ts';
import { screenBlocks } from './blocks.ts';
import { type Fit, fitCreative } from './fit.ts';
import { placesAt } from './geo.ts';
import type { Creative, FencedPlace, Index, LineItem } from './index.ts';
import type { Person } from './person.ts';
import { priceOf } from './price.ts';
import { nearestStore } from './promote.ts';
import { type Money, moneyFor, quoteOf } from './quote.ts';
import { furtherOf } from './reason.ts';
import { screenCaps, screenLineItem } from './screen.ts';
import { screenWay, spotFloor, type Way, waysOf } from './ways.ts';

export interface Question {
  readonly request: BidRequest;
  readonly person: Person;
  readonly exchange: LiveExchange;
  /** Whether the coordinates may be used. */
  readonly preciseLocation: boolean;
  /** Only line items that are safe for children. */
  readonly childOnly: boolean;
  /** Epoch ms. */
  readonly now: number;
  /** Micros that the worker may still spend on a limited line item. */
  readonly allowance: (lineItem: LineItem, cost: Micros, now: number) => Micros;
}

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

export interface Decision {
  /** All in one currency; of one imp the preferred first, at most as many as the exchange takes. */
  readonly bids: readonly Choice[];
  /** Winners whose person is held out: nothing more is bid for their imps. */
  readonly ghosts: readonly Choice[];
  /** Why nothing is bid: of all imps and line items the reason that came furthest. */
  readonly reason: NoBidReason;
}

/** A line item that passed all that does not depend on the imp. */
interface Offer {
  readonly lineItem: LineItem;
  readonly store: LiveStore | null;
  readonly metres: number | null;
  readonly price: Micros;
  /** Impressions of it that this response already holds, their cost in micros, and the imp of the latest. */
  used: number;
  reserved: Micros;
  usedFor: Imp | null;
}

/** What the bids of one response have in common. */
interface Round {
  readonly index: Index;
  readonly question: Question;
  readonly offers: readonly Offer[];
  readonly turn: number;
  /** Of the response, once something is bid. */
  currency: string | null;
  /** About how long the answer is. */
  bytes: number;
  reason: NoBidReason;
}

/** Answers are kept short enough for any exchange's reader. */
const MAX_ANSWER = 256 * 1024;
/** A bid's notice addresses and fields; a spot has about four times as many addresses. */
const BID_BYTES = 3_000;
const SPOT_BYTES = 12_000;

/** Decides a request. Synchronous and pure: no I/O, no clock, no randomness. */
export function decide(index: Index, question: Question): Decision {
  const { offers, reason } = offersFor(index, question);
  const bids: Choice[] = [];
  const ghosts: Choice[] = [];
  const turn = turnOf(question.request.id);
  const round: Round = { index, question, offers, turn, currency: null, bytes: 0, reason };
  for (const imp of question.request.imps) decideImp(round, imp, bids, ghosts);
  return { bids, ghosts, reason: round.reason };
}

/** Takes the best of each deal and of the open market, until the exchange takes no more for the imp. */
function decideImp(round: Round, imp: Imp, bids: Choice[], ghosts: Choice[]): void {
  const { exchange, request } = round.question;
  const ways = waysOf(imp, request.at, exchange.seat);
  if (ways.length === 0) round.reason = furtherOf(round.reason, 'deal');
  let left = exchange.bidsPerImp;
  for (const way of ways) {
    while (left > 0) {
      const best = bestFor(round, imp, way);
      if (best === null) break;
      if (isGhost(best, round.question)) {
        ghosts.push(best);
        round.reason = furtherOf(round.reason, 'held_out');
        return;
      }
      bids.push(best);
      round.currency = best.currency;
      left--;
      if (way.deal !== null) break;
    }
  }
}

function isGhost({ lineItem: { holdout } }: Choice, { person }: Question): boolean {
  return holdout !== null && isHeldOut(person.anchor, holdout.salt, holdout.share);
}

function offersFor(index: Index, question: Question): { offers: Offer[]; reason: NoBidReason } {
  const { request, exchange, now } = question;
  const offers: Offer[] = [];
  let reason: NoBidReason = 'no_line_item';
  const seats = screenSeat(request, exchange);
  if (seats !== null) return { offers, reason: seats };
  const path = screenSupply(exchange.supply, request, index.supply);
  if (path !== null) return { offers, reason: path };
  const location = question.preciseLocation ? request.device.location : null;
  const signal = location === null ? null : signalOf(asTrusted(location, exchange));
  for (const lineItem of index.anywhere) {
    const failed = screenLineItem(lineItem, question, index.supply) ?? offer(lineItem, lineItem.promotedStores);
    if (failed !== null) reason = furtherOf(reason, failed);
  }
  if (index.hasFenced) {
    const fenced = fencedAt(index, question, location, signal);
    reason = furtherOf(reason, fenced.reason);
    for (const [lineItem, stores] of fenced.matched) {
      const failed =
        screenLineItem(lineItem, question, index.supply) ?? offer(lineItem, stores.length > 0 ? stores : lineItem.promotedStores);
      if (failed !== null) reason = furtherOf(reason, failed);
    }
  }
  const turn = turnOf(request.id);
  offers.sort((a, b) => b.price - a.price || tie(a.lineItem, turn) - tie(b.lineItem, turn));
  return { offers, reason };

  function offer(lineItem: LineItem, stores: readonly LiveStore[]): NoBidReason | null {
    const promoted = nearestStore(stores, location, now);
    if (lineItem.openStoresOnly && !promoted?.open) return 'store_closed';
    // A vague place may choose the store, but must not say how far it is.
    const metres = signal === null || signal.class === 'low' ? null : (promoted?.metres ?? null);
    const price = priceOf(lineItem.bid, metres);
    offers.push({ lineItem, store: promoted?.store ?? null, metres, price, used: 0, reserved: 0, usedFor: null });
    return null;
  }
}

function screenSeat(request: BidRequest, { seat }: LiveExchange): NoBidReason | null {
  if (request.wseat.length > 0 && (seat === null || !request.wseat.includes(seat))) return 'deal';
  return seat !== null && request.bseat.includes(seat) ? 'deal' : null;
}

/** Some exchanges send the device's own place without its type. */
function asTrusted(location: Location, { trustsUnknownLocation }: LiveExchange): Location {
  return trustsUnknownLocation && location.type === null ? { ...location, type: 1 } : location;
}

/** Line items whose places hold the device, with the stores in whose fences it is. */
function fencedAt(index: Index, question: Question, location: Location | null, signal: Signal | null) {
  const matched = new Map<LineItem, LiveStore[]>();
  if (location === null || signal === null) {
    const withheld = !question.preciseLocation && question.request.device.location !== null;
    return { matched, reason: (withheld ? 'privacy' : 'outside_fence') as NoBidReason };
  }
  let reason: NoBidReason = 'outside_fence';
  for (const place of placesAt(index.geo, location.lat, location.lon)) {
    if (!isPreciseFor(signal, place.radius)) reason = 'untrusted_location';
    else match(matched, place);
  }
  return { matched, reason };
}

function match(matched: Map<LineItem, LiveStore[]>, place: FencedPlace): void {
  for (const lineItem of place.lineItems) {
    const stores = matched.get(lineItem);
    if (stores === undefined) matched.set(lineItem, place.store === null ? [] : [place.store]);
    else if (place.store !== null) stores.push(place.store);
  }
}

/** The dearest offer that may be bid for the imp this way, or null. Offers come in falling price. */
function bestFor(round: Round, imp: Imp, way: Way): Choice | null {
  for (const offer of round.offers) {
    if (offer.usedFor === imp) continue;
    const choice = choiceOf(round, imp, way, offer);
    if (typeof choice === 'string') {
      round.reason = furtherOf(round.reason, choice);
      continue;
    }
    offer.used++;
    offer.reserved += choice.cost;
    offer.usedFor = imp;
    round.bytes += bytesOf(choice.creative);
    return choice;
  }
  return null;
}

/** The filters that depend on the imp, cheap ones first. */
function choiceOf(round: Round, imp: Imp, way: Way, offer: Offer): Choice | NoBidReason {
  const { index, question, turn } = round;
  const { request, exchange, person, now } = question;
  const { lineItem, store, metres } = offer;
  const other = screenWay(lineItem, way, index.deals);
  if (other !== null) return other;
  const money = moneyOf(round, way, lineItem.currency);
  if (money === null || (way.floor > 0 && money.floorRate === null)) return 'currency';
  const fit = fitCreative(offer, imp, { wlang: request.wlang, exchange }, turn);
  if (typeof fit === 'string') return fit;
  const { creative } = fit;
  if (round.bytes + bytesOf(creative) > MAX_ANSWER) return 'no_creative';
  const late = screenBlocks(lineItem, request) ?? screenCaps(lineItem, person, offer.used, now);
  if (late !== null) return late;
  const quote = quoteOf(offer.price, floorOf(way, imp, creative), way.fixed, money);
  if (typeof quote === 'string') return quote;
  const cost = impressionCost(quote.price, imp.multiplier);
  if (!hasAllowance(offer, cost, question)) return 'budget';
  return { imp, lineItem, fit, creative, deal: way.deal, store, metres, ...quote, currency: money.currency, cost };
}

/** Asked last, so that no allowance is leased for what could not be bid. */
function hasAllowance({ lineItem, reserved }: Offer, cost: Micros, { request, allowance, now }: Question): boolean {
  return !lineItem.limited || request.test || allowance(lineItem, cost, now) >= reserved + cost;
}

function moneyOf({ index, question, currency }: Round, { floorcur }: Way, own: string): Money | null {
  return moneyFor(index.rates, question.now, currency === null ? question.request.cur : [currency], own, floorcur);
}

function floorOf(way: Way, imp: Imp, creative: Creative): number {
  const place = creative.type === 'video' ? imp.video : creative.type === 'audio' ? imp.audio : null;
  return place === null || !('duration' in creative) ? way.floor : spotFloor(way, place, creative.duration);
}

function bytesOf({ type, bytes }: Creative): number {
  return bytes + (type === 'video' || type === 'audio' ? SPOT_BYTES : BID_BYTES);
}

/** A number of the auction by which ties and creatives take turns. */
function turnOf(auction: string): number {
  let hash = 0;
  for (let i = 0; i < auction.length; i++) hash = (Math.imul(hash, 31) + auction.charCodeAt(i)) | 0;
  return hash >>> 1;
}

function tie(lineItem: LineItem, turn: number): number {
  return Math.imul(lineItem.position + 1, turn | 1) >>> 0;
}
