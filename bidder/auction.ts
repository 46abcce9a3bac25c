import type { AdEvent, UnsentReason } from '../proto/ad-event.ts';
import { NO_BID, type NoBidReason } from '../proto/no-bid.ts';
import type { WireResponse } from '../proto/openrtb.ts';
import type { Consents } from '../proto/privacy/permission.ts';
import type { LiveExchange } from '../proto/snapshot.ts';
import type { Admission, Refusal } from './admission.ts';
import { withinBytes } from './answer-size.ts';
import { eventOf } from './booking.ts';
import { clockOf } from './clock.ts';
import type { Choice } from './core/choice.ts';
import { decide, shutOut } from './core/decide.ts';
import type { Index } from './core/index.ts';
import type { LineItem } from './core/line-item.ts';
import type { Person } from './core/person.ts';
import type { RequestSample } from './debug/sample.ts';
import { type Bid, type EncodeOptions, responseOf } from './encode.ts';
import { type Headers, isSignedBy, isTokenOf } from './exchange-token.ts';
import { keepGhosts } from './ghosts.ts';
import type { Leases } from './leases/lease.ts';
import type { MatchCounts } from './match-counts.ts';
import type { Metrics } from './metrics.ts';
import { formatOf } from './openrtb/content.ts';
import { type DecodeNotes, decodeNotes, decodeRequest, type Format } from './openrtb/decode.ts';
import { type InflateFault, inflate } from './openrtb/inflate.ts';
import type { BidRequest } from './openrtb/request.ts';
import { writeResponse } from './openrtb/write.ts';
import type { Outbox } from './outbox.ts';
import { type Permission, permissionOf } from './privacy.ts';
import { recordOf, wholeMetres } from './record.ts';
import { isSampled } from './sampling.ts';
import type { Users } from './users.ts';
import { type WrittenBids, writeBids } from './written-bids.ts';

export interface AuctionDeps {
  readonly current: () => Index | null;
  readonly users: Users;
  /** Absent in a dry run: everything is considered. */
  readonly admission?: Admission;
  readonly leases: Leases;
  readonly outbox: Outbox;
  /** Writes ghosts and returns when they are durable; rejects where it is not known. */
  readonly writeGhosts: (events: readonly AdEvent[]) => Promise<void>;
  readonly metrics: Metrics;
  /** Ids of bids, unique over all workers and time. */
  readonly nextBid: () => string;
  readonly pepper: string;
  readonly consents: Consents;
  readonly encode: EncodeOptions;
  /** Absent in a dry run: nothing is counted. */
  readonly matches?: Pick<MatchCounts, 'count'>;
  /** Absent in a dry run. */
  readonly sample?: RequestSample;
}

/** A bid request as it comes off the wire. */
export interface Call {
  readonly exchange: string;
  /** Of the path, as it came. */
  readonly token: unknown;
  readonly body: Buffer;
  readonly contentType: string | undefined;
  readonly encoding: string | undefined;
  readonly headers: Headers;
  /** Header `x-walkin-time`. */
  readonly statedTime: string | readonly string[] | undefined;
  /** Monotonic ms. */
  readonly arrival: number;
}

/** What is sent back. */
export interface Answer {
  readonly status: 200 | 204 | 400 | 404;
  readonly body: string | Buffer | null;
  readonly format: Format;
  readonly gzip: LiveExchange['gzip'];
}

type Outcome = 'bid' | 'no_bid' | 'unknown_exchange' | InflateFault;

/** What a call comes to: a response, or why there is none. */
type Verdict = WireResponse | WrittenBids | NoBidReason | Exclude<Outcome, 'bid' | 'no_bid'>;

/** No exchange may keep us waiting longer, whatever its `tmax`. */
const LONGEST_MS = 1_000;
/** What deciding and encoding take at most; a read that comes later is of no use. */
const DECISION_MS = 2;
/** Share of the time that is left which is kept for what may hold up its answer once nobody waits for a person any more: a mark of the heap, others on the same core. */
const RESERVE = 0.1;

/** Answers one bid request, at once where nobody needs to be asked. May fail only through a bug of ours; the app answers such with a no-bid. */
export function answerCall(deps: AuctionDeps, call: Call): Answer | Promise<Answer> {
  const index = deps.current();
  const exchange = index?.exchanges.get(call.exchange) ?? null;
  const notes = decodeNotes();
  const format = formatOf(call.contentType, exchange ?? { format: 'json' });
  const verdict = answerAuction(deps, call, index, exchange, format, notes);
  return verdict instanceof Promise ? verdict.then(finish) : finish(verdict);

  function finish(decided: Verdict): Answer {
    count(deps.metrics, call, exchange, decided, notes);
    return answerOf(decided, exchange, format, notes);
  }
}

function answerAuction(
  deps: AuctionDeps,
  call: Call,
  index: Index | null,
  exchange: LiveExchange | null,
  format: Format,
  notes: DecodeNotes,
): Verdict | Promise<Verdict> {
  if (index === null) return 'no_snapshot';
  if (exchange === null || !isTokenOf(exchange, call.token)) return 'unknown_exchange';
  if (!isSignedBy(exchange, call.body, call.headers)) return 'unknown_exchange';
  const body = inflate(call.body, call.encoding, notes.quirks);
  if (typeof body === 'string') return body;
  const request = decodeRequest(body, format, notes);
  if (typeof request === 'string') return request;
  if (!isSampled(exchange, request.id)) return shed(deps, exchange, 'sampled');
  const deadline = deadlineOf(request, exchange, call.arrival);
  if (performance.now() >= deadline) return late(deps, exchange);
  deps.admission?.allowed(exchange.id, deadline - call.arrival);
  if (deps.admission?.canAnswerBy(deadline) === false && !exchange.simulated) return shed(deps, exchange, 'time');
  const permission = permissionOf(request, deps.consents);
  deps.metrics.privacy.add(permission.why);
  if (!permission.bid) return 'privacy';
  const now = clockOf(exchange, call.statedTime);
  // A quarter of what is not bid on: nobody need be looked up for it.
  const shut = shutOut(index, { request, exchange });
  // Written out: a spread of these fields takes longer than all of the above but the JSON.
  const go = (found: Person): Verdict | Promise<Verdict> =>
    bidOn({ deps, index, exchange, request, permission, person: found, deadline, now, format, notes, isOpen: true });
  const verdict = shut ?? withPerson(deps, request, { exchange, permission, now, deadline }, go);
  // Of children nothing is kept.
  if (!permission.childOnly && deps.sample?.wants())
    deps.sample.take({ body, format, exchange: exchange.id, request, permission, verdict });
  return verdict;
}

function withPerson(
  { users, pepper }: AuctionDeps,
  request: BidRequest,
  { exchange, permission, now, deadline }: Pick<Auction, 'exchange' | 'permission' | 'now' | 'deadline'>,
  go: (person: Person) => Verdict | Promise<Verdict>,
): Verdict | Promise<Verdict> {
  const readBy = deadline - Math.max(DECISION_MS, RESERVE * (deadline - performance.now()));
  const person = users.read(request, { exchange: exchange.id, pepper, permission, now, deadline: readBy });
  return person instanceof Promise ? person.then(go) : go(person);
}

function shed({ metrics }: AuctionDeps, { id }: LiveExchange, cause: 'sampled' | 'time'): NoBidReason {
  metrics.shed.add(id, cause);
  return 'shed';
}

function late({ metrics, admission }: AuctionDeps, { id }: LiveExchange): NoBidReason {
  metrics.late.add(id);
  admission?.missed();
  return 'deadline';
}

/** A call that is not considered, by its exchange's account: answered before it is read. */
export function countRefusal({ metrics }: AuctionDeps, exchange: LiveExchange, refusal: Refusal, arrival: number): void {
  metrics.shed.add(exchange.id, refusal);
  metrics.requests.add(exchange.id, 'no_bid');
  metrics.noBids.add('shed');
  metrics.answerSeconds.observe((performance.now() - arrival) / 1000);
}

const FAULTS = { malformed: 400, too_large: 400, unsupported_encoding: 400, unknown_exchange: 404 } as const;

function isFault(verdict: Verdict): verdict is keyof typeof FAULTS {
  return typeof verdict === 'string' && Object.hasOwn(FAULTS, verdict);
}

function answerOf(verdict: Verdict, exchange: LiveExchange | null, format: Format, notes: DecodeNotes): Answer {
  const gzip = exchange?.gzip ?? 'auto';
  if (isFault(verdict)) return { status: FAULTS[verdict], body: null, format, gzip };
  const response = typeof verdict === 'string' ? spokenNoBid(verdict, exchange, notes) : verdict;
  if (response === null) return { status: 204, body: null, format, gzip };
  const body = 'json' in response ? response.json : writeResponse(response, format, notes);
  return { status: 200, body, format, gzip };
}

/** A no-bid that says why, where the exchange wants to know; null: the empty answer says it. */
export function spokenNoBid(reason: NoBidReason, exchange: LiveExchange | null, { id }: DecodeNotes): WireResponse | null {
  if (id === '' || !exchange?.sendsNoBidReason) return null;
  return { id, nbr: NO_BID[reason], seatbid: [] };
}

/** Monotonic ms by which the answer must leave. */
function deadlineOf(request: BidRequest, exchange: LiveExchange, arrival: number): number {
  return arrival + Math.min(request.tmax || exchange.defaultTmax, LONGEST_MS) - exchange.networkAllowance;
}

export interface Auction {
  readonly deps: AuctionDeps;
  readonly index: Index;
  readonly exchange: LiveExchange;
  readonly request: BidRequest;
  readonly permission: Permission;
  readonly person: Person;
  readonly deadline: number;
  readonly now: number;
  readonly format: Format;
  readonly notes: DecodeNotes;
  /** See `decide`. */
  readonly isOpen?: boolean;
}

/** Decides, and does what follows from it. */
export function bidOn(auction: Auction): Verdict | Promise<Verdict> {
  const { deps, index, exchange, request, permission, person, now } = auction;
  const { preciseLocation, childOnly } = permission;
  deps.matches?.count(exchange.id, request, person, now);
  const allowance = (lineItem: LineItem, cost: number, at: number): number => deps.leases.free(lineItem, cost, at);
  const since = performance.now();
  if (since >= auction.deadline) return late(deps, exchange);
  const { reached, truncated } = index.stages;
  const {
    bids: choices,
    ghosts,
    reason,
  } = decide(index, { request, person, exchange, preciseLocation, childOnly, now, allowance }, auction.isOpen);
  deps.metrics.decisionSeconds.observe((performance.now() - since) / 1000);
  deps.metrics.candidates.observe(index.stages.reached - reached);
  if (index.stages.truncated > truncated) deps.metrics.truncated.inc();
  // In the same tick as the decision, so that what it saw free is free.
  const bids: Bid[] = [];
  for (const choice of choices) {
    const bid = reserve(auction, choice);
    if (bid === null) withhold(auction, { choice, record: recordOf(auction, choice, '') }, 'budget');
    else bids.push(bid);
  }
  const without = choices.length > 0 ? 'budget' : reason;
  if (ghosts.length === 0) return respond(auction, bids, without);
  return keepGhosts(auction, ghosts).then((durable) =>
    respond(auction, bids, durable || choices.length > 0 ? without : 'storage'),
  );
}

/** @param without why nothing is bid, where there are no bids */
function respond(auction: Auction, bids: readonly Bid[], without: NoBidReason): Verdict {
  const { deps, exchange, request, deadline } = auction;
  if (bids.length === 0) return without;
  if (performance.now() >= deadline) {
    for (const bid of bids) withhold(auction, bid, 'late');
    return late(deps, exchange);
  }
  if (auction.format === 'json' && exchange.maxAnswerBytes === null) {
    const written = writeBids(request.id, exchange, bids, deps.encode, request.cattax);
    if (written !== null) {
      for (const bid of bids) tell(auction, bid);
      return written;
    }
  }
  const whole = responseOf(request.id, exchange, bids, deps.encode, request.cattax);
  const response = withinBytes(whole, exchange.maxAnswerBytes, (part) => ({
    length: Buffer.byteLength(writeResponse(part, auction.format, auction.notes)),
  }));
  for (const bid of bids) {
    if (response !== null && isIn(response, bid)) tell(auction, bid);
    else withhold(auction, bid, 'too_large');
  }
  return response ?? 'no_creative';
}

function tell({ deps, now, permission }: Auction, { choice, record }: Bid): void {
  deps.outbox.push(eventOf(record, 'bid', now, { metres: wholeMetres(choice, permission) }));
}

/** Ghosts are kept at the decision: so is a bid of which nothing comes, or the treated of an experiment would lack those whose answers are late. */
function withhold({ deps, now, permission }: Auction, { choice, record }: Bid, why: UnsentReason): void {
  if (record.lease !== '') deps.leases.cancel(choice.lineItem, record.lease, choice.cost);
  deps.outbox.push(eventOf(record, 'unsent', now, { metres: wholeMetres(choice, permission), detail: why }));
}

function isIn({ seatbid }: WireResponse, { record }: Bid): boolean {
  return seatbid.some(({ bid }) => bid.some(({ id }) => id === record.bid));
}

/** Test bids are never charged, so they reserve nothing. */
function reserve(auction: Auction, choice: Choice): Bid | null {
  const { lineItem, cost } = choice;
  if (!lineItem.limited || auction.request.test) return { choice, record: recordOf(auction, choice, '') };
  const lease = auction.deps.leases.reserve(lineItem, cost, auction.now);
  return lease === null ? null : { choice, record: recordOf(auction, choice, lease) };
}

function count(metrics: Metrics, call: Call, known: LiveExchange | null, verdict: Verdict, { quirks }: DecodeNotes): void {
  // A label must come from a closed list: addresses that nobody configured are one.
  const exchange = known?.id ?? 'unknown';
  metrics.requests.add(exchange, outcomeOf(verdict));
  if (typeof verdict === 'string' && !isFault(verdict)) metrics.noBids.add(verdict);
  for (const quirk of quirks) metrics.quirks.add(exchange, quirk);
  metrics.answerSeconds.observe((performance.now() - call.arrival) / 1000);
}

function outcomeOf(verdict: Verdict): Outcome {
  if (isFault(verdict)) return verdict;
  return typeof verdict === 'string' ? 'no_bid' : 'bid';
}
