import { setImmediate as turn } from 'node:timers/promises';
import { isHeldOut } from '../../proto/bucket.ts';
import type {
  BodyFault,
  DebugBid,
  DebugBidAnswer,
  DebugPermission,
  DebugTotals,
  ExplainedLineItem,
  Finding,
} from '../../proto/debug.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import type { WireResponse } from '../../proto/openrtb.ts';
import type { Consents } from '../../proto/privacy/permission.ts';
import type { LiveExchange } from '../../proto/snapshot.ts';
import { bidOn, spokenNoBid } from '../auction.ts';
import { roundOf } from '../core/decide.ts';
import { explainAt } from '../core/explain.ts';
import type { Index } from '../core/index.ts';
import type { LineItem } from '../core/line-item.ts';
import { type Person, segmentsOf } from '../core/person.ts';
import type { Question } from '../core/question.ts';
import type { Round } from '../core/round.ts';
import type { EncodeOptions } from '../encode.ts';
import { type DecodeNotes, decodeNotes, decodeRequest } from '../openrtb/decode.ts';
import type { BidRequest } from '../openrtb/request.ts';
import { type Permission, permissionOf } from '../privacy.ts';
import { isSampled } from '../sampling.ts';
import { screenSupply } from '../supply.ts';
import type { BudgetsLeft } from './budgets-left.ts';
import { dryRun } from './dry-run.ts';
import { explainImps } from './explain-imps.ts';
import { haveOf } from './have.ts';
import { pastedBody } from './pasted.ts';

export interface DebugBidDeps {
  readonly pepper: string;
  readonly consents: Consents;
  readonly encode: Omit<EncodeOptions, 'noticeSecret'>;
  readonly budgetsLeft: BudgetsLeft;
  /** Who the request is about, and where that is from. */
  readonly personOf: (
    question: DebugBid,
    request: BidRequest,
    permission: Permission,
    now: number,
  ) => Promise<{ readonly person: Person; readonly source: DebugBidAnswer['person']['source'] }>;
}

/** Requests of others wait meanwhile: a turn is as short as theirs. */
const TURN_MS = 1;
/** Line items that pass all else: of more the budgets are not asked, and the rest is counted only. */
const MOST_PASSING = 5_000;

const MOST_ROUNDS = 10;

/** What is known of a line item before it is known who wins. */
interface Draft {
  readonly id: string;
  readonly position: number;
  readonly lineItem: LineItem;
  readonly store: string | null;
  readonly reasons: readonly Finding[];
  readonly prices: ExplainedLineItem['prices'];
  /** But for what keeps all from bidding. */
  readonly passes: boolean;
  readonly timings: ExplainedLineItem['timings'];
}

/**
 * Decides a request as an auction does, but for its effects, and says of every line item all that keeps it from bidding. The index is one
 * that no auction uses: it is asked in turns, and counts.
 */
export async function debugBid(index: Index, question: DebugBid, deps: DebugBidDeps): Promise<DebugBidAnswer | null> {
  const exchange = index.exchanges.get(question.exchange);
  if (exchange === undefined) return null;
  const now = question.now ?? Date.now();
  const clock = createClock();
  const notes = decodeNotes();
  const pasted = pastedBody(question.request);
  const format = typeof pasted === 'string' ? 'json' : pasted.format;
  const request = typeof pasted === 'string' ? pasted : decodeRequest(pasted.body, format, notes);
  clock.lap('decode');
  const quirks = [...notes.quirks].sort();
  const base = { version: index.version, now, quirks };
  if (typeof request === 'string') {
    const told = isBodyFault(request) ? null : spokenNoBid(request, exchange, notes);
    const status = isBodyFault(request) ? 400 : told === null ? 204 : 200;
    return { ...base, ...NOTHING, status, reason: request, response: told, timings: clock.laps };
  }
  const permission = permissionOf(request, deps.consents);
  clock.lap('privacy');
  const { person, source } = await deps.personOf(question, request, permission, now);
  clock.lap('profile');
  const { preciseLocation, childOnly } = permission;
  const asked: Question = {
    request,
    person,
    exchange,
    preciseLocation,
    childOnly,
    now,
    allowance: () => Number.MAX_SAFE_INTEGER,
  };
  const reasons = requestReasons(index, asked, permission);
  const drafts = await explainAll(index, asked, question, reasons, deps.budgetsLeft);
  clock.lap('explain');
  const shut: NoBidReason | null = !isSampled(exchange, request.id) ? 'shed' : permission.bid ? null : 'privacy';
  const { verdict, events } =
    shut === null
      ? await decideDry({ index, exchange, request, permission, person, now, notes, format }, drafts.left, deps)
      : { verdict: shut, events: [] };
  clock.lap('decide');
  const won = new Set(events.filter(({ type }) => type === 'bid').map(({ lineItem }) => lineItem));
  const ghosts = new Set(events.filter(({ type }) => type === 'ghost').map(({ lineItem }) => lineItem));
  const outcomeOf = ({ id, passes }: Pick<Draft, 'id' | 'passes'>): ExplainedLineItem['outcome'] => {
    if (won.has(id)) return 'bid';
    if (ghosts.has(id)) return 'held_out';
    return passes && reasons.length === 0 ? 'outbid' : 'no_bid';
  };
  const page = drafts.page.map((draft) => explained(draft, outcomeOf(draft)));
  const isOthers = question.advertiser !== null && events.some(({ advertiser }) => advertiser !== question.advertiser);
  return {
    ...base,
    ...answered(verdict, isOthers, question.advertiser === null || reasons.length > 0, exchange, notes),
    reasons,
    person: { state: person.state, source, segments: segmentsOf(person, now).size },
    permission: shownPermission(permission),
    lineItems: page,
    missing: question.lineItems?.filter((id) => index.positionOf(id) < 0) ?? [],
    totals: question.from === 0 ? drafts.totals(outcomeOf) : null,
    next: drafts.next,
    timings: clock.laps,
  };
}

const BODY_FAULTS: readonly string[] = ['malformed', 'too_large', 'unsupported_encoding'] satisfies BodyFault[];

function isBodyFault(reason: string): reason is BodyFault {
  return BODY_FAULTS.includes(reason);
}

/** Of a request that cannot be read. */
const NOTHING = {
  outcome: 'no_bid',
  reasons: [],
  person: { state: 'nobody', source: 'assumed', segments: 0 },
  permission: null,
  lineItems: [],
  missing: [],
  totals: null,
  next: null,
} as const;

/** What the exchange would get. Whose bids are others' is not told of them; nor, unless it `tellsWhy`, why others do not bid. */
function answered(
  verdict: Awaited<ReturnType<typeof bidOn>>,
  isOthers: boolean,
  tellsWhy: boolean,
  exchange: LiveExchange,
  notes: DecodeNotes,
): Pick<DebugBidAnswer, 'outcome' | 'status' | 'reason' | 'response'> {
  if (isOthers) return { outcome: 'no_bid', status: null, reason: null, response: null };
  if (typeof verdict !== 'string') {
    const response = 'json' in verdict ? (JSON.parse(verdict.json) as WireResponse) : verdict;
    return { outcome: 'bid', status: 200, reason: null, response };
  }
  const reason = verdict as NoBidReason;
  const response = tellsWhy ? spokenNoBid(reason, exchange, notes) : null;
  return { outcome: 'no_bid', status: response === null ? 204 : 200, reason: tellsWhy ? reason : null, response };
}

type Auction = Pick<
  Parameters<typeof bidOn>[0],
  'index' | 'exchange' | 'request' | 'permission' | 'person' | 'now' | 'notes' | 'format'
>;

/** Decides as an auction does; again where it turns out whose budgets have to be known. */
async function decideDry(
  auction: Auction,
  known: ReadonlyMap<string, number>,
  { pepper, consents, encode, budgetsLeft }: DebugBidDeps,
) {
  const left = new Map(known);
  for (let round = 1; ; round++) {
    const unknown: LineItem[] = [];
    const dry = dryRun(pepper, consents, encode, (lineItem) => {
      const micros = left.get(lineItem.id);
      if (micros === undefined) unknown.push(lineItem);
      return micros ?? Number.MAX_SAFE_INTEGER;
    });
    const verdict = await bidOn({ ...auction, deps: dry.deps, deadline: Number.POSITIVE_INFINITY });
    if (unknown.length === 0 || round === MOST_ROUNDS) return { verdict, events: dry.events };
    for (const [id, micros] of await budgetsLeft(unknown, auction.now)) left.set(id, micros);
  }
}

/** What keeps every line item from bidding. */
function requestReasons(index: Index, { request, exchange }: Question, permission: Permission): Finding[] {
  const reasons: Finding[] = [];
  const add = (code: NoBidReason, part: string, have: unknown = null): void =>
    void reasons.push({ code, part, imp: null, deal: null, have });
  if (!permission.bid) add('privacy', 'permission', permission.why);
  if (!isSampled(exchange, request.id)) add('shed', 'sampling', request.id);
  const { wseat, bseat } = request;
  const { seat } = exchange;
  if (wseat.length > 0 && (seat === null || !wseat.includes(seat))) add('deal', 'wseat', wseat);
  if (seat !== null && bseat.includes(seat)) add('deal', 'bseat', bseat);
  const path = screenSupply(exchange.supply, request, index.supply);
  if (path !== null) add(path, 'exchangeSupply', request.schain);
  return reasons;
}

interface Drafts {
  readonly page: readonly Draft[];
  readonly next: number | null;
  /** What each of the line items that were asked after has left of its budgets, micros. */
  readonly left: ReadonlyMap<string, number>;
  totals(outcomeOf: (draft: Pick<Draft, 'id' | 'passes'>) => ExplainedLineItem['outcome']): DebugTotals;
}

/** Explains line items in turns, and once more those whose budgets had to be asked for. `shared`: what keeps all of them from bidding. */
async function explainAll(
  index: Index,
  question: Question,
  asked: DebugBid,
  shared: readonly Finding[],
  budgetsLeft: BudgetsLeft,
): Promise<Drafts> {
  const round = roundOf(index, question);
  const tally = createTally();
  const failing: Draft[] = [];
  const passing: Draft[] = [];
  const isWanted = ({ reasons }: Draft): boolean => asked.reason === null || reasons.some(({ code }) => code === asked.reason);
  let pause = performance.now() + TURN_MS;
  for (const position of positionsOf(index, asked)) {
    if (performance.now() > pause) {
      await turn();
      pause = performance.now() + TURN_MS;
    }
    const lineItem = index.lineItemAt(position);
    if (asked.advertiser !== null && lineItem.advertiser !== asked.advertiser) continue;
    const draft = draftOf(round, lineItem, null, shared);
    if (draft.passes && passing.length < MOST_PASSING) passing.push(draft);
    else {
      tally.add(draft);
      if (isWanted(draft) && failing.length <= asked.limit) failing.push(draft);
      // A page that goes on from another one comes without totals.
      if (failing.length > asked.limit && asked.from > 0) break;
    }
  }
  const limited = passing.map(({ lineItem }) => lineItem).filter(({ limited }) => limited && !question.request.test);
  const left = await budgetsLeft(limited, question.now);
  const asBudgeted = passing.map((draft) => {
    const micros = left.get(draft.id);
    return micros === undefined ? draft : draftOf(round, draft.lineItem, micros, shared);
  });
  for (const draft of asBudgeted) tally.add(draft);
  const shown = [...failing, ...asBudgeted.filter(isWanted)].sort((a, b) => a.position - b.position);
  return { page: shown.slice(0, asked.limit), next: shown[asked.limit]?.position ?? null, left, totals: tally.totals };
}

function createTally() {
  const counts = new Map<NoBidReason, number>();
  const passing: Pick<Draft, 'id' | 'passes'>[] = [];
  let noBid = 0;
  return {
    add: ({ id, passes, reasons }: Draft): void => {
      for (const code of new Set(reasons.map((reason) => reason.code))) counts.set(code, (counts.get(code) ?? 0) + 1);
      if (passes) passing.push({ id, passes });
      else noBid++;
    },
    totals: (outcomeOf: Parameters<Drafts['totals']>[0]): DebugTotals => {
      const outcomes = passing.map(outcomeOf);
      const of = (outcome: ExplainedLineItem['outcome']): number => outcomes.filter((one) => one === outcome).length;
      return {
        lineItems: noBid + passing.length,
        bid: of('bid'),
        heldOut: of('held_out'),
        outbid: of('outbid'),
        noBid: noBid + of('no_bid'),
        reasons: Object.fromEntries([...counts].sort(([, a], [, b]) => b - a)),
      };
    },
  };
}

function* positionsOf(index: Index, { lineItems, from }: DebugBid): Generator<number> {
  if (lineItems === null) for (let position = from; position < index.size; position++) yield position;
  else {
    const positions = lineItems.map((id) => index.positionOf(id));
    yield* [...new Set(positions)].filter((position) => position >= from).sort((a, b) => a - b);
  }
}

/** `left`: micros of its budgets, null: no limit, or not asked yet. */
function draftOf(round: Round, lineItem: LineItem, left: number | null, shared: readonly Finding[]): Draft {
  const since = performance.now();
  const { question } = round;
  const explained = explainAt(round, lineItem.position);
  const failures = explained.failures.map(({ reason, part }) => ({ ...BARE, code: reason, part, have: haveOf(part, question) }));
  const { findings, prices, passes } = explainImps(round, lineItem, explained, left);
  const ghost = wouldBeGhost(lineItem, question.person) ? [HELD_OUT] : [];
  const reasons = [...shared, ...failures, ...findings, ...ghost];
  const store = explained.store?.id ?? null;
  return {
    id: lineItem.id,
    position: lineItem.position,
    lineItem,
    store,
    reasons,
    prices,
    passes: passes && failures.length === 0,
    timings: { explain: Math.round((performance.now() - since) * 1_000) },
  };
}

const BARE = { imp: null, deal: null, have: null } as const;
const HELD_OUT: Finding = { ...BARE, code: 'held_out', part: 'holdout' };

function wouldBeGhost({ holdout }: LineItem, { state, anchor }: Person): boolean {
  const isNamed = state === 'known' || state === 'unknown';
  return holdout !== null && isNamed && isHeldOut(anchor, holdout.salt, holdout.share);
}

function explained(
  { lineItem, store, reasons, prices, timings }: Draft,
  outcome: ExplainedLineItem['outcome'],
): ExplainedLineItem {
  const { id, campaign, advertiser } = lineItem;
  return { lineItem: id, campaign, advertiser, outcome, store, reasons, prices, timings };
}

function shownPermission({ why, bid, childOnly, identifiers, profile, caps, preciseLocation }: Permission): DebugPermission {
  return { why, bid, childOnly, identifiers, profile, caps, preciseLocation };
}

/** Microseconds between laps. */
function createClock() {
  const laps: Record<string, number> = {};
  let since = performance.now();
  return {
    laps: laps as Readonly<Record<string, number>>,
    lap: (step: string): void => {
      const at = performance.now();
      laps[step] = Math.round((at - since) * 1_000);
      since = at;
    },
  };
}
