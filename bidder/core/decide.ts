import { isHeldOut } from '../../proto/bucket.ts';
import { cpmToMicros, impressionCost, type Micros } from '../../proto/money.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import { isPreciseFor, type Signal, signalOf } from '../../proto/signal.ts';
import type { LiveExchange, LiveStore } from '../../proto/snapshot.ts';
import type { BidRequest, Imp, Location } from '../openrtb/request.ts';
import { placesAt } from './geo.ts';
import type { Creative, FencedPlace, Index, LineItem } from './index.ts';
import type { Person } from './person.ts';
import { priceOf } from './price.ts';
import { nearestStore } from './promote.ts';
import { furtherOf } from './reason.ts';
import { fitCreative, screenBlocks, screenCaps, screenCurrency, screenLineItem } from './screen.ts';

export interface Question {
  readonly request: BidRequest;
  readonly person: Person;
  readonly exchange: LiveExchange;
  /** Whether the coordinates may be used. */
  readonly preciseLocation: boolean;
  /** Epoch ms. */
  readonly now: number;
  /** Micros that the worker may still spend on a limited line item. */
  readonly allowance: (lineItem: LineItem, cost: Micros, now: number) => Micros;
}

/** One line item for one imp. */
export interface Choice {
  readonly imp: Imp;
  readonly lineItem: LineItem;
  readonly creative: Creative;
  readonly store: LiveStore | null;
  readonly metres: number | null;
  /** Micros of CPM. */
  readonly price: Micros;
  /** Micros. */
  readonly cost: Micros;
}

export interface Decision {
  /** At most one an imp, all in one currency. */
  readonly bids: readonly Choice[];
  /** Winners whose person is held out: nothing is bid for their imps. */
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
  readonly cost: Micros;
  /** Impressions of it that this response already holds. */
  used: number;
}

/** Decides a request. Synchronous and pure: no I/O, no clock, no randomness. */
export function decide(index: Index, question: Question): Decision {
  const { offers, reason } = offersFor(index, question);
  const bids: Choice[] = [];
  const ghosts: Choice[] = [];
  let furthest = reason;
  let currency: string | null = null;
  const turn = turnOf(question.request.id);
  for (const imp of question.request.imps) {
    const best = bestFor(imp, offers, question, currency, turn);
    if (typeof best === 'string') {
      furthest = furtherOf(furthest, best);
      continue;
    }
    const { lineItem } = best;
    if (lineItem.holdout !== null && isHeldOut(question.person.anchor, lineItem.holdout.salt, lineItem.holdout.share)) {
      ghosts.push(best);
      furthest = furtherOf(furthest, 'held_out');
      continue;
    }
    bids.push(best);
    currency = lineItem.currency;
  }
  return { bids, ghosts, reason: furthest };
}

function offersFor(index: Index, question: Question): { offers: Offer[]; reason: NoBidReason } {
  const { request, person, exchange, now } = question;
  const offers: Offer[] = [];
  let reason: NoBidReason = 'no_line_item';
  const seats = screenSeat(request, exchange);
  if (seats !== null) return { offers, reason: seats };
  const location = question.preciseLocation ? request.device.location : null;
  const signal = location === null ? null : signalOf(location);
  for (const lineItem of index.anywhere) {
    const failed = screenLineItem(lineItem, request, person, exchange.id, now) ?? offer(lineItem, lineItem.promotedStores);
    if (failed !== null) reason = furtherOf(reason, failed);
  }
  if (index.hasFenced) {
    const fenced = fencedAt(index, question, location, signal);
    reason = furtherOf(reason, fenced.reason);
    for (const [lineItem, stores] of fenced.matched) {
      const failed =
        screenLineItem(lineItem, request, person, exchange.id, now) ??
        offer(lineItem, stores.length > 0 ? stores : lineItem.promotedStores);
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
    offers.push({ lineItem, store: promoted?.store ?? null, metres, price, cost: impressionCost(price), used: 0 });
    return null;
  }
}

function screenSeat(request: BidRequest, { seat }: LiveExchange): NoBidReason | null {
  if (request.wseat.length > 0 && (seat === null || !request.wseat.includes(seat))) return 'deal';
  return seat !== null && request.bseat.includes(seat) ? 'deal' : null;
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

/** The dearest offer that may be bid for the imp, or the furthest reason why none may. Offers come in falling price. */
function bestFor(imp: Imp, offers: Offer[], question: Question, currency: string | null, turn: number): Choice | NoBidReason {
  if (imp.privateAuction) return 'deal';
  const { request, person, now } = question;
  const floor = cpmToMicros(imp.bidfloor);
  let reason: NoBidReason = 'no_line_item';
  for (const offer of offers) {
    const { lineItem } = offer;
    const early =
      screenCurrency(lineItem, request, imp) ?? (currency !== null && currency !== lineItem.currency ? 'currency' : null);
    const creative = early ?? fitCreative(lineItem, imp, turn);
    if (typeof creative === 'string') {
      reason = furtherOf(reason, creative);
      continue;
    }
    const late =
      screenBlocks(lineItem, request) ?? screenCaps(lineItem, person, offer.used, now) ?? screenMoney(offer, floor, question);
    if (late !== null) {
      reason = furtherOf(reason, late);
      continue;
    }
    offer.used++;
    const { store, metres, price, cost } = offer;
    return { imp, lineItem, creative, store, metres, price, cost };
  }
  return reason;
}

/** The floor is asked before the budget, so that no allowance is leased for what could not be bid. */
function screenMoney(offer: Offer, floor: Micros, question: Question): NoBidReason | null {
  if (offer.price <= 0 || offer.price < floor) return 'below_floor';
  const { lineItem, cost } = offer;
  if (!lineItem.limited || question.request.test) return null;
  return question.allowance(lineItem, cost, question.now) < cost * (offer.used + 1) ? 'budget' : null;
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
