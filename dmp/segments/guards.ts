import type { LineItem } from '../campaigns/line-item.ts';
import { segmentsOf as segmentsOfRule } from '../campaigns/segment-rule.ts';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { NounContext } from '../http/noun.ts';
import type { Fault } from '../problem.ts';
import { type Moment, standingOf } from '../sources/lineage.ts';
import { momentOf, type Presence, readPresence } from '../sources/presence.ts';
import type { DestinationKind, Purpose } from '../sources/purposes.ts';
import { type Terms, termsOf } from '../sources/source.ts';
import type { Things } from '../things/things.ts';
import { MINIMUM, type Told } from './minimum.ts';
import { lastRuns, type Run } from './runs.ts';
import type { Segment, SegmentInput } from './segment.ts';
import { isSensitive } from './sensitive.ts';
import { sensitivityOf } from './sensitivity.ts';
import { audienceName } from './taxonomy.ts';

/** People that a segment must have to be used, below which one of them could be meant. */
export const MINIMUM_SIZE = 100;
export const SENSITIVE_MINIMUM_SIZE = 1_000;

/** Why a segment may not be used, or not yet. */
export const GUARD_CODES = ['not_evaluated', 'empty', 'below_minimum', 'sensitive', 'terms', 'paused'] as const;
const PASSING: ReadonlySet<string> = new Set(['not_evaluated', 'empty']);
export interface Reason {
  readonly segment: string;
  readonly code: (typeof GUARD_CODES)[number];
  readonly message: string;
}

/** `pending`: nobody is in it, or it was not evaluated yet; it becomes one of the others by itself. */
export interface Verdict {
  readonly state: 'ready' | 'pending' | 'refused';
  readonly reasons: readonly Reason[];
}

/** People that the segment must have. */
export function minimumOf(things: Things, id: string): number {
  const own = things.get('segment', id)?.body.minimumSize ?? null;
  return own ?? (isSensitive(things, id) ? SENSITIVE_MINIMUM_SIZE : MINIMUM_SIZE);
}

/** Whether a segment is sensitive and no admin has allowed its use. */
export function isForbidden(things: Things, id: string): boolean {
  return things.get('segment', id)?.body.sensitiveAllowed !== true && isSensitive(things, id);
}

/** Whether a segment may be used, by its last evaluation and what is said of it. */
export function verdictOf(things: Things, run: Run | undefined, id: string): Verdict {
  const segment = things.get('segment', id)?.body;
  if (segment === undefined) return verdict([]);
  const reasons: Reason[] = [];
  const because = (code: Reason['code'], message: string): void => void reasons.push({ segment: id, code, message });
  if (isForbidden(things, id)) {
    const why = sensitivityOf(segment) ?? 'it is made of a segment that is';
    because('sensitive', `the segment is sensitive (${why}) and no admin has allowed its use`);
  }
  const minimum = minimumOf(things, id);
  // Who could try one minimum after the other would know the exact size by them; less than the usual one is an admin's.
  const size = run === undefined || minimum < MINIMUM_SIZE ? (run?.members ?? 0) : Math.floor(run.members / MINIMUM) * MINIMUM;
  if (run === undefined) because('not_evaluated', 'the segment has not been evaluated yet');
  else if (run.members === 0) because('empty', 'nobody is in the segment');
  else if (size < minimum) because('below_minimum', `the segment has fewer than the ${minimum} people that it needs`);
  return verdict(reasons);
}

function verdict(reasons: readonly Reason[]): Verdict {
  const state = reasons.length === 0 ? 'ready' : reasons.every(({ code }) => PASSING.has(code)) ? 'pending' : 'refused';
  return { state, reasons };
}

/**
 * Reasons as a key gets them. To one of an advertiser nobody and a few are the same: whether a rule holds of anybody would tell of a person
 * whom it names alone.
 */
export function reasonsFor({ advertiser }: Told, reasons: readonly Reason[]): readonly Reason[] {
  if (advertiser === null) return reasons;
  return reasons.map((reason) =>
    reason.code === 'empty' || reason.code === 'below_minimum'
      ? { ...reason, code: 'below_minimum', message: 'the segment has fewer people than it needs' }
      : reason,
  );
}

export function verdictFor(key: Told, { reasons }: Verdict): Verdict {
  return verdict(reasonsFor(key, reasons));
}

/** For what a segment is to be used: what the contracts must allow of all sources that it stands on. */
export interface Use {
  /** Beside `profiles`, without which a source's rows are in no segment. */
  readonly purpose: Purpose;
  /** To what kind of destination it is sent; null: it stays here. */
  readonly destination: DestinationKind | null;
}

export const BIDDING: Use = { purpose: 'personalised_ads', destination: null };

/** The guard rails as they stand now, for one use. */
export interface Guards {
  of(segment: string): Verdict;
}

type RunOf = (segment: string) => Promise<Run | undefined>;

/** What guard rails are judged by, as it was when it was read: the rest is said by things. */
export interface Grounds {
  readonly segments: ReadonlySet<string>;
  /** Their last evaluations. */
  readonly runs: ReadonlyMap<string, Run>;
  /** Null: no contract could say no. */
  readonly presence: Presence | null;
}

/** @param runOf the last evaluation of a segment; by default those of `segments` are read at once */
export async function readGrounds(
  warehouse: Warehouse,
  things: Things,
  segments: readonly string[],
  use: Use,
  runOf?: RunOf,
): Promise<Grounds> {
  const runs =
    runOf === undefined
      ? await (segments.length === 0 ? new Map<string, Run>() : lastRuns(warehouse, segments))
      : new Map<string, Run>();
  if (runOf !== undefined)
    for (const [id, run] of await Promise.all(segments.map(async (id) => [id, await runOf(id)] as const)))
      if (run !== undefined) runs.set(id, run);
  // Which sources hold what is asked of every table of facts: only where a contract could say no.
  const presence = segments.length > 0 && isBound(things, use) ? await presenceOf(warehouse) : null;
  return { segments: new Set(segments), runs, presence };
}

/** Whether what was read tells of the segment as things are now. */
export function restOn(things: Things, { segments, presence }: Grounds, segment: string, use: Use): boolean {
  return segments.has(segment) && (presence !== null || !isBound(things, use));
}

function isBound(things: Things, use: Use): boolean {
  return things.list('source').some(({ body }) => refusalOf(termsOf(body), use) !== null);
}

/** The guard rails of things as they are now, on what was read. */
export function guardsOn(things: Things, { runs, presence }: Grounds, use: Use): Guards {
  const moment = presence === null ? null : momentOf(things, presence);
  return {
    of: (id) => {
      const base = verdictOf(things, runs.get(id), id);
      const terms = moment === null ? [] : termsReasons(things, moment, id, use);
      return terms.length === 0 ? base : verdict([...base.reasons, ...terms]);
    },
  };
}

/** @param runOf as of `readGrounds` */
export async function readGuards(
  warehouse: Warehouse,
  things: Things,
  segments: readonly string[],
  use: Use = BIDDING,
  runOf?: RunOf,
): Promise<Guards> {
  return guardsOn(things, await readGrounds(warehouse, things, segments, use, runOf), use);
}

function termsReasons(things: Things, moment: Moment, id: string, use: Use): Reason[] {
  return standingOf(moment, [id]).flatMap(({ source, used }): Reason[] => {
    const body = things.get('source', source)?.body;
    // Rows that do not count (any more) are in no segment.
    const refusal = body === undefined || !used ? null : refusalOf(termsOf(body), use);
    return refusal === null ? [] : [{ segment: id, code: 'terms', message: `the contract of ${source} ${refusal}` }];
  });
}

function refusalOf({ purposes, destinations }: Terms, { purpose, destination }: Use): string | null {
  if (!purposes.includes(purpose)) return `does not have the purpose ${purpose}`;
  return destination === null || destinations.includes(destination) ? null : `does not let it be sent to ${destination}`;
}

const PRESENCE_MS = 60_000;
const presences = new WeakMap<Warehouse, { readonly at: number; readonly presence: ReturnType<typeof readPresence> }>();

/** Which sources hold rows of a kind changes seldom, and asks all tables of facts. */
function presenceOf(warehouse: Warehouse): ReturnType<typeof readPresence> {
  const known = presences.get(warehouse);
  if (known !== undefined && performance.now() - known.at < PRESENCE_MS) return known.presence;
  const presence = readPresence(warehouse);
  presences.set(warehouse, { at: performance.now(), presence });
  presence.catch(() => presences.delete(warehouse));
  return presence;
}

/**
 * The segments by which a line item picks people out. Those that it leaves out are not held to the minimum: that somebody is not
 * shown an ad tells nobody anything, and lists of staff are short.
 */
export function segmentsWanted({ targeting }: LineItem): string[] {
  const { segments = [], segmentRule } = targeting;
  const rule = segmentRule === undefined ? [] : segmentsOfRule(segmentRule, '');
  return [...new Set([...segments.flat(), ...rule.filter(({ wanted }) => wanted).map(({ id }) => id)])];
}

/** Why a line item is not live; none: its segments do not hold it back. Pending ones have nobody in them, so they need not. */
export function holdbackOf(lineItem: LineItem, guards: Guards): readonly Reason[] {
  return segmentsWanted(lineItem).flatMap((id) => {
    const { state, reasons } = guards.of(id);
    return state === 'refused' ? reasons : [];
  });
}

/** The same as a key gets it, see `reasonsFor`: an advertiser is told of an empty segment what it is told of a small one. */
export function holdbackFor(key: Told, lineItem: LineItem, guards: Guards): readonly Reason[] {
  if (key.advertiser === null) return holdbackOf(lineItem, guards);
  return segmentsWanted(lineItem).flatMap((id) => {
    const { state, reasons } = verdictFor(key, guards.of(id));
    return state === 'refused' ? reasons : [];
  });
}

/** Ids of the active line items that are held back. */
export async function heldBack(warehouse: Warehouse, things: Things): Promise<ReadonlySet<string>> {
  const active = things.list('line-item').filter(({ body }) => body.status === 'active' && segmentsWanted(body).length > 0);
  const guards = await readGuards(warehouse, things, [...new Set(active.flatMap(({ body }) => segmentsWanted(body)))]);
  return new Set(active.filter(({ body }) => holdbackOf(body, guards).length > 0).map(({ id }) => id));
}

/** What is wrong with what is said of a segment beside its rule, and what only an admin may say. */
export function termsFaults(input: SegmentInput, { principal, current }: NounContext<'segment'>): Fault[] {
  const before: Partial<Segment> = current?.body ?? {};
  const isAdmin = principal.scopes.includes('admin');
  const faults: Fault[] = [];
  const { taxonomy, minimumSize, sensitiveAllowed } = input;
  if (taxonomy !== null && audienceName(taxonomy.id) === null)
    faults.push({ pointer: '/taxonomy/id', code: 'unknown_audience', message: `there is no audience ${taxonomy.id}` });
  const { price } = input;
  if (price !== null && (price.cpmMicros === undefined) === (price.percent === undefined))
    faults.push({ pointer: '/price', code: 'shape', message: 'has either cpmMicros or percent' });
  const minimum = sensitivityOf(input) === null ? MINIMUM_SIZE : SENSITIVE_MINIMUM_SIZE;
  if (!isAdmin && minimumSize !== null && minimumSize < minimum && minimumSize !== (before.minimumSize ?? null))
    faults.push({
      pointer: '/minimumSize',
      code: 'admin_only',
      message: `less than ${minimum} is for keys with the scope admin`,
    });
  if (!isAdmin && sensitiveAllowed && before.sensitiveAllowed !== true)
    faults.push({ pointer: '/sensitiveAllowed', code: 'admin_only', message: 'is for keys with the scope admin' });
  if (!isAdmin && before.sensitive === true && !input.sensitive)
    faults.push({ pointer: '/sensitive', code: 'admin_only', message: 'is taken away with the scope admin only' });
  return faults;
}
