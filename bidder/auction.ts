import type { AdEvent, BidRecord } from '../proto/ad-event.ts';
import type { NoBidReason } from '../proto/no-bid.ts';
import type { LiveExchange } from '../proto/snapshot.ts';
import { eventOf } from './booking.ts';
import { clockOf } from './clock.ts';
import { type Choice, decide } from './core/decide.ts';
import type { Index, LineItem } from './core/index.ts';
import { type Person, WITHHELD } from './core/person.ts';
import { type Bid, type EncodeOptions, encodeResponse } from './encode.ts';
import type { Leases } from './lease.ts';
import type { Metrics } from './metrics.ts';
import { decodeRequest } from './openrtb/decode.ts';
import { inflate } from './openrtb/inflate.ts';
import type { BidRequest } from './openrtb/request.ts';
import type { Outbox } from './outbox.ts';
import { type Permission, permissionOf } from './privacy.ts';
import { identifiersOf, type Users } from './users.ts';

export interface AuctionDeps {
  readonly current: () => Index | null;
  readonly users: Users;
  readonly leases: Leases;
  readonly outbox: Outbox;
  /** Writes ghosts and returns when they are durable; rejects where it is not known. */
  readonly writeGhosts: (events: readonly AdEvent[]) => Promise<void>;
  readonly metrics: Metrics;
  /** Ids of bids, unique over all workers and time. */
  readonly nextBid: () => string;
  readonly pepper: string;
  readonly encode: EncodeOptions;
}

/** A bid request as it comes off the wire. */
export interface Call {
  readonly exchange: string;
  readonly body: Buffer;
  readonly encoding: string | undefined;
  /** Header `x-walkin-time`. */
  readonly statedTime: string | readonly string[] | undefined;
  /** Monotonic ms. */
  readonly arrival: number;
}

export type Answer =
  | { readonly status: 200; readonly body: string }
  | { readonly status: 204; readonly reason: NoBidReason }
  | { readonly status: 400 | 404 | 413 };

/** No exchange may keep us waiting longer, whatever its `tmax`. */
const LONGEST_MS = 1_000;
/** What deciding and encoding take at most; a read that comes later is of no use. */
const DECISION_MS = 2;

/** Answers one bid request. May reject only through a bug of ours; the app answers such with a no-bid. */
export async function answerCall(deps: AuctionDeps, call: Call): Promise<Answer> {
  const answer = await answerAuction(deps, call);
  count(deps, call, answer);
  return answer;
}

async function answerAuction(deps: AuctionDeps, call: Call): Promise<Answer> {
  const index = deps.current();
  if (index === null) return noBid('no_snapshot');
  const exchange = index.exchanges.get(call.exchange);
  if (exchange === undefined) return { status: 404 };
  const body = inflate(call.body, call.encoding);
  if (typeof body === 'string') return { status: body === 'too_large' ? 413 : 400 };
  const request = decodeRequest(body);
  if (typeof request === 'string') return request === 'malformed' ? { status: 400 } : noBid(request);
  const deadline = deadlineOf(request, exchange, call.arrival);
  if (performance.now() >= deadline) return noBid('deadline');
  const permission = permissionOf(request);
  if (!permission.bid) return noBid('privacy');
  const person = await personOf(deps, request, exchange, permission, deadline);
  const now = clockOf(exchange, call.statedTime);
  return bidOn({ deps, index, exchange, request, permission, person, deadline, now });
}

function noBid(reason: NoBidReason): Answer {
  return { status: 204, reason };
}

/** Monotonic ms by which the answer must leave. */
function deadlineOf(request: BidRequest, exchange: LiveExchange, arrival: number): number {
  return arrival + Math.min(request.tmax || exchange.defaultTmax, LONGEST_MS) - exchange.networkAllowance;
}

/** Without permission nobody is asked for, so that no identifier exists on the rest of the path. */
async function personOf(
  { users, pepper }: AuctionDeps,
  request: BidRequest,
  exchange: LiveExchange,
  permission: Permission,
  deadline: number,
): Promise<Person> {
  if (!permission.identifiers) return WITHHELD;
  return users.read(identifiersOf(request, exchange.id, pepper), deadline - DECISION_MS);
}

interface Auction {
  readonly deps: AuctionDeps;
  readonly index: Index;
  readonly exchange: LiveExchange;
  readonly request: BidRequest;
  readonly permission: Permission;
  readonly person: Person;
  readonly deadline: number;
  readonly now: number;
}

async function bidOn(auction: Auction): Promise<Answer> {
  const { deps, index, exchange, request, permission, person, deadline, now } = auction;
  const { preciseLocation } = permission;
  const allowance = (lineItem: LineItem, cost: number, at: number): number => deps.leases.free(lineItem, cost, at);
  const since = performance.now();
  const { bids: choices, ghosts, reason } = decide(index, { request, person, exchange, preciseLocation, now, allowance });
  deps.metrics.decisionSeconds.observe((performance.now() - since) / 1000);
  // In the same tick as the decision, so that what it saw free is free.
  const bids = choices.flatMap((choice) => reserve(auction, choice) ?? []);
  const durable = ghosts.length === 0 || (await keepGhosts(auction, ghosts));
  if (bids.length === 0) return noBid(choices.length > 0 ? 'budget' : durable ? reason : 'storage');
  if (performance.now() >= deadline) {
    for (const { choice, record } of bids) deps.leases.cancel(choice.lineItem, record.lease, choice.cost);
    return noBid('deadline');
  }
  for (const { choice, record } of bids) deps.outbox.push(eventOf(record, 'bid', now, { metres: wholeMetres(choice) }));
  return { status: 200, body: encodeResponse(request.id, exchange.seat, bids, deps.encode) };
}

/** Test bids are never charged, so they reserve nothing. */
function reserve(auction: Auction, choice: Choice): Bid | null {
  const { lineItem, cost } = choice;
  if (!lineItem.limited || auction.request.test) return { choice, record: recordOf(auction, choice, '') };
  const lease = auction.deps.leases.reserve(lineItem, cost, auction.now);
  return lease === null ? null : { choice, record: recordOf(auction, choice, lease) };
}

function recordOf({ deps, exchange, request, person, now }: Auction, choice: Choice, lease: string): BidRecord {
  const { lineItem, creative, store, imp, price } = choice;
  return {
    bid: deps.nextBid(),
    bidAt: now,
    exchange: exchange.id,
    auction: request.id,
    imp: imp.id,
    lineItem: lineItem.id,
    campaign: lineItem.campaign,
    advertiser: lineItem.advertiser,
    creative: creative.id,
    store: store?.id ?? '',
    identifier: person.identifier,
    anchor: person.anchor,
    price,
    lease,
    test: request.test,
    currency: lineItem.currency,
    offered: price,
    multiplier: 1,
    deal: '',
    mtype: 1,
  };
}

function wholeMetres({ store, metres }: Choice): number | null {
  return store === null || metres === null ? null : Math.round(metres);
}

/**
 * Ghosts are what lift is measured against, so they are durable before the answer. Where that is not known in time they go to
 * the outbox: an event is known by (type, bid), so one that was written after all is not counted twice.
 */
async function keepGhosts(auction: Auction, ghosts: readonly Choice[]): Promise<boolean> {
  const { deps, deadline, now } = auction;
  const events = ghosts.map((choice) => eventOf(recordOf(auction, choice, ''), 'ghost', now, { metres: wholeMetres(choice) }));
  const durable = await inTime(deps.writeGhosts(events), deadline);
  deps.metrics.ghosts.inc({ result: durable ? 'durable' : 'late' }, events.length);
  if (!durable) for (const event of events) deps.outbox.push(event);
  return durable;
}

/** Whether the work succeeds by the deadline (monotonic ms). */
async function inTime(work: Promise<void>, deadline: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, deadline - performance.now()));
  });
  const done = work.then(
    () => true,
    () => false,
  );
  const result = await Promise.race([done, late]);
  clearTimeout(timer);
  return result;
}

const OUTCOMES = { 200: 'bid', 204: 'no_bid', 400: 'malformed', 404: 'unknown_exchange', 413: 'too_large' } as const;

function count({ metrics, current }: AuctionDeps, call: Call, answer: Answer): void {
  // A label must come from a closed list: addresses that nobody configured are one.
  const exchange = current()?.exchanges.has(call.exchange) ? call.exchange : 'unknown';
  metrics.requests.inc({ exchange, outcome: OUTCOMES[answer.status] });
  if (answer.status === 204) metrics.noBids.inc({ reason: answer.reason });
  metrics.answerSeconds.observe((performance.now() - call.arrival) / 1000);
}
