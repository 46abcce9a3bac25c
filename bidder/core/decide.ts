import { isHeldOut } from '../../proto/bucket.ts';
import { dataCost, impressionCost, MICROS, type Micros } from '../../proto/money.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import type { LiveExchange, LiveStore } from '../../proto/snapshot.ts';
import type { BidRequest, Deal, Imp } from '../openrtb/request.ts';
import { screenSupply } from '../supply.ts';
import { screenBlocks } from './blocks.ts';
import { type Fit, fitCreative } from './fit.ts';
import { BIDS, COUNTS, type Creative, type Index, type LineItem } from './index.ts';
import { mixed } from './layout.ts';
import type { Offer } from './match.ts';
import type { Person } from './person.ts';
import { bidsFor, hasRoom } from './pod.ts';
import { type Money, moneyFor, quoteOf } from './quote.ts';
import { rateOf } from './rates.ts';
import { furtherOf, numberOf } from './reason.ts';
import { screenCaps, screenSpot } from './screen.ts';
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

/** What the bids of one response have in common. */
export interface Round {
  readonly index: Index;
  readonly question: Question;
  readonly turn: number;
  /** By imp of the request. */
  readonly ways: readonly (readonly Way[])[];
  /** Of the response, once something is bid. */
  currency: string | null;
  /** About how long the answer is. */
  bytes: number;
  /** Seconds of spots that are bid for the present imp. */
  seconds: number;
  reason: NoBidReason;
}

/** Answers are kept short enough for any exchange's reader. */
const MAX_ANSWER = 256 * 1024;
/** A bid's notice addresses and fields; a spot has about four times as many addresses. */
const BID_BYTES = 3_000;
const SPOT_BYTES = 12_000;

/** Decides a request. Synchronous and pure but for what is counted: no I/O, no clock, no randomness. */
export function decide(index: Index, question: Question): Decision {
  const bids: Choice[] = [];
  const ghosts: Choice[] = [];
  const shut = screenAll(index, question);
  if (shut !== null) return { bids, ghosts, reason: shut };
  const round = roundOf(index, question);
  index.stages.decisions++;
  const { imps } = question.request;
  for (let at = 0; at < imps.length; at++) decideImp(round, at, bids, ghosts);
  return { bids, ghosts, reason: bids.length + ghosts.length === 0 ? furthestReason(round) : round.reason };
}

/** What shuts out all line items. */
export function screenAll(index: Index, { request, exchange }: Question): NoBidReason | null {
  const seat = screenSeat(request, exchange);
  if (seat !== null || !asks(exchange.supply)) return seat;
  return screenSupply(exchange.supply, request, index.supply);
}

function asks({ completeOnly, maxHops, sellers, authorizedOnly }: LiveExchange['supply']): boolean {
  return completeOnly || maxHops !== null || sellers !== null || authorizedOnly === true;
}

/** Begins a request: the index's `match` is at its first offer. */
export function roundOf(index: Index, question: Question): Round {
  const { request, exchange } = question;
  const turn = turnOf(request.id);
  const ways = request.imps.map((imp) => waysOf(imp, request.at, exchange.seat));
  index.match.begin(question, leastPrices(index, question, ways), turn);
  return { index, question, turn, ways, currency: null, bytes: 0, seconds: 0, reason: 'no_line_item' };
}

/** Takes the best of each deal and of the open market, until the exchange takes no more for the imp. */
function decideImp(round: Round, at: number, bids: Choice[], ghosts: Choice[]): void {
  const imp = round.question.request.imps[at] as Imp;
  const ways = round.ways[at] as readonly Way[];
  if (ways.length === 0) round.reason = furtherOf(round.reason, 'deal');
  round.seconds = 0;
  let left = bidsFor(imp, round.question.exchange.bidsPerImp);
  for (const way of ways) {
    while (left > 0) {
      const best = bestFor(round, at, way);
      if (best === null) break;
      if (isGhost(best, round.question)) {
        ghosts.push(best);
        round.reason = furtherOf(round.reason, 'held_out');
        return;
      }
      bids.push(best);
      countAt(round.index, best.lineItem.position, BIDS);
      round.currency = best.currency;
      left--;
      if (way.deal !== null) break;
    }
  }
}

/**
 * By currency of the index: the least price of a line item, in micros, that reaches some floor of the request. A hair less, since
 * rates are rounded elsewhere.
 */
function leastPrices({ meta, rates }: Index, { request, now }: Question, ways: readonly (readonly Way[])[]): number[] {
  const least: number[] = [];
  for (const currency of meta.currencies) {
    let lowest = Number.POSITIVE_INFINITY;
    for (let at = 0; at < ways.length; at++) {
      const imp = request.imps[at] as Imp;
      for (const way of ways[at] as readonly Way[]) {
        const floor = lowestFloor(way, imp);
        const rate = floor > 0 ? rateOf(rates, way.floorcur, currency, now) : null;
        lowest = Math.min(lowest, rate === null ? 0 : floor * rate * MICROS * (1 - 1e-9) - 2);
      }
    }
    least.push(Math.max(lowest, LEAST_PRICE));
  }
  return least;
}

/** Micros: nobody bids nothing. */
const LEAST_PRICE = 0.5;

/** Floors by length may be lower than that of the place. */
function lowestFloor({ deal, floor }: Way, { video, audio }: Imp): number {
  let lowest = floor;
  if (video === null && audio === null) return lowest;
  for (const place of [deal, video, audio])
    for (const { bidfloor } of place?.durfloors ?? []) lowest = Math.min(lowest, bidfloor);
  return lowest;
}

function isGhost({ lineItem: { holdout } }: Choice, { person }: Question): boolean {
  return holdout !== null && isHeldOut(person.anchor, holdout.salt, holdout.share);
}

function screenSeat(request: BidRequest, { seat }: LiveExchange): NoBidReason | null {
  if (request.wseat.length > 0 && (seat === null || !request.wseat.includes(seat))) return 'deal';
  return seat !== null && request.bseat.includes(seat) ? 'deal' : null;
}

/** The dearest offer that may be bid for the imp this way, or null. Offers come in falling price. */
function bestFor(round: Round, at: number, way: Way): Choice | null {
  const { index } = round;
  const imp = round.question.request.imps[at] as Imp;
  for (let rank = 0; ; rank++) {
    const offer = index.match.offer(rank);
    if (offer === null) return null;
    if (offer.usedFor === imp || !index.match.mayFit(offer, at)) continue;
    const choice = choiceOf(round, imp, way, offer);
    index.stages.tried++;
    if (typeof choice === 'string') {
      round.reason = furtherOf(round.reason, choice);
      countAt(index, offer.position, numberOf(choice));
      continue;
    }
    offer.used++;
    offer.reserved += choice.cost;
    offer.usedFor = imp;
    round.bytes += bytesOf(choice.creative);
    if ('duration' in choice.creative) round.seconds += choice.creative.duration;
    return choice;
  }
}

function countAt({ counts }: Index, position: number, number: number): void {
  (counts[position * COUNTS + number] as number)++;
}

/**
 * On a no-bid: line items that are looked at, that are asked why, and that are tried on all imps, at most. To find the reason took as long
 * as to find that nothing is bid, so where there are many line items it is looked for thoroughly at one no-bid of eight.
 */
const THOROUGH = { reached: 24, asked: 8, tried: 4 };
const BRIEF = { reached: 8, asked: 2, tried: 1 };
const MANY = 1_000;
const THOROUGH_EVERY = 8;

/**
 * Why nothing is bid: the furthest reason of line items that came far. First those that only a floor kept from being looked at; where
 * there are none, why the others were not offered.
 */
function furthestReason(round: Round): NoBidReason {
  const { match, meta } = round.index;
  const most = meta.size < MANY || round.turn % THOROUGH_EVERY === 0 ? THOROUGH : BRIEF;
  let reason = furtherOf(round.reason, match.awayReason() ?? 'no_line_item');
  if (isFurthest(reason)) return reason;
  let tried = 0;
  const reached = match.reached(most.reached);
  for (let i = 0; i < reached.length && tried < most.tried; i++) {
    if (!match.mayOffer(reached[i] as number)) continue;
    tried++;
    reason = furtherOf(reason, reasonOf(round, reached[i] as number));
    if (isFurthest(reason)) return reason;
  }
  // Who was offered came further than all to whom nothing leads.
  if (tried > 0 && meta.broad === 0) return reason;
  if (tried === 0)
    for (let i = 0; i < reached.length && i < most.asked; i++) reason = furtherOf(reason, whyNot(round, reached[i] as number));
  if (meta.broad + meta.posted === 0) return reason;
  const inRows = match.inRows(most.asked);
  if (inRows.length === 0) return furtherOf(reason, match.rowReason());
  for (let i = 0; i < inRows.length && !isFurthest(reason); i++) {
    const position = inRows[i] as number;
    reason = furtherOf(reason, match.mayOffer(position) ? reasonOf(round, position) : whyNot(round, position));
  }
  return reason;
}

/** Why a line item was not offered. */
function whyNot({ index }: Round, position: number): NoBidReason {
  const failure = index.match.failuresOf(position, false)[0];
  if (failure === undefined) return 'no_line_item';
  if (!index.match.isCounted(position)) countAt(index, position, numberOf(failure.reason));
  return failure.reason;
}

/** How far an offer comes, of all imps and ways. */
function reasonOf(round: Round, position: number): NoBidReason {
  const offer = round.index.match.offerOf(position);
  if (offer === null) return 'store_closed';
  let reason: NoBidReason = 'no_line_item';
  for (let at = 0; at < round.ways.length; at++)
    for (const way of round.ways[at] as readonly Way[]) {
      const why = choiceOf(round, round.question.request.imps[at] as Imp, way, offer);
      if (typeof why === 'string') reason = furtherOf(reason, why);
    }
  countAt(round.index, position, numberOf(reason));
  return reason;
}

/** No line item that could not be bid came further than to its price. */
function isFurthest(reason: NoBidReason): boolean {
  return reason === 'below_floor' || reason === 'budget';
}

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
  return { imp, lineItem, fit, creative, deal: way.deal, store, metres, ...quote, currency: money.currency, cost };
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

function bytesOf({ type, bytes }: Creative): number {
  return bytes + (type === 'video' || type === 'audio' ? SPOT_BYTES : BID_BYTES);
}

/** A number of the auction by which ties and creatives take turns. */
function turnOf(auction: string): number {
  let hash = 0;
  for (let i = 0; i < auction.length; i++) hash = (Math.imul(hash, 31) + auction.charCodeAt(i)) | 0;
  return mixed(hash) >>> 1;
}
