import { isHeldOut } from '../../proto/bucket.ts';
import { MICROS } from '../../proto/money.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import type { LiveExchange } from '../../proto/snapshot.ts';
import type { BidRequest, Imp } from '../openrtb/request.ts';
import { screenSupply } from '../supply.ts';
import { bytesOf, type Choice, choiceOf } from './choice.ts';
import type { Index } from './index.ts';
import { mixed } from './layout.ts';
import { furthestReason, MANY } from './no-bid-reason.ts';
import { bidsFor } from './pod.ts';
import type { Question } from './question.ts';
import { rateOf } from './rates.ts';
import { furtherOf, numberOf } from './reason.ts';
import type { Round } from './round.ts';
import { fitsAny } from './shapes.ts';
import { BIDS, countAt } from './stock.ts';
import { type Way, waysOf } from './ways.ts';

export interface Decision {
  /** All in one currency; of one imp the preferred first, at most as many as the exchange takes. */
  readonly bids: readonly Choice[];
  /** Winners whose person is held out: nothing more is bid for their imps. */
  readonly ghosts: readonly Choice[];
  /** Why nothing is bid: of all imps and line items the reason that came furthest. */
  readonly reason: NoBidReason;
}

/**
 * Decides a request. Synchronous and pure but for what is counted: no I/O, no clock, no randomness. `isOpen`: it was asked before whether
 * this index shuts it out, and it does not.
 */
export function decide(index: Index, question: Question, isOpen = false): Decision {
  const bids: Choice[] = [];
  const ghosts: Choice[] = [];
  const shut = isOpen ? null : shutOut(index, question);
  if (shut !== null) return { bids, ghosts, reason: shut };
  const round = roundOf(index, question);
  index.stages.decisions++;
  const { imps } = question.request;
  for (let at = 0; at < imps.length; at++) decideImp(round, at, bids, ghosts);
  return { bids, ghosts, reason: bids.length + ghosts.length === 0 ? furthestReason(round) : round.reason };
}

/** Who asks for what: known before anybody is looked up. */
type Asked = Pick<Question, 'request' | 'exchange'>;

/**
 * What shuts out all line items, whoever is asked for: so that nobody need be looked up. Of few line items it is told why each of them
 * does not bid, so those are asked also where no creative fits.
 */
export function shutOut(index: Index, asked: Asked): NoBidReason | null {
  const shut = screenAll(index, asked);
  if (shut !== null || index.size < MANY) return shut;
  return fitsAny(index.meta.shapes, asked.request.imps) ? null : 'no_creative';
}

/** What the exchange or the seller shuts out. */
export function screenAll(index: Index, { request, exchange }: Asked): NoBidReason | null {
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
  // Or all that may be bid for the others is looked through for this one: of a million line items that was 61 % of all the time.
  if (round.index.size >= MANY && !round.index.match.rows.fits(at)) return;
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

/** A number of the auction by which ties and creatives take turns. */
function turnOf(auction: string): number {
  let hash = 0;
  for (let i = 0; i < auction.length; i++) hash = (Math.imul(hash, 31) + auction.charCodeAt(i)) | 0;
  return mixed(hash) >>> 1;
}
