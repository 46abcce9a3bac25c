import type { DmpDeps } from '../dmp/deps.ts';
import { RULES_VERSION } from '../dmp/identity/kinds.ts';
import { sourcesRevoked } from '../dmp/sources/access.ts';
import { carryCaps } from './identity/caps.ts';
import { Graph } from './identity/graph.ts';
import { numberGroups } from './identity/number.ts';
import { type Conditions, LIMITS, readScope, readWhole } from './identity/read.ts';
import { resolve } from './identity/resolve.ts';
import { addToScope, close, type Since, stillShared, touch } from './identity/scope.ts';
import { surenessOf } from './identity/sure.ts';
import { differenceOf, writeRows } from './identity/write.ts';

/**
 * Hash in Redis: `seen` newest link that was resolved, `met` when it was met first, `ran` the last run (epoch ms), `revoked` sources that
 * did not count then, `rules` the version of the rules, `profile` the greatest id ever given, `version` the greatest of the rows.
 */
const STATE_KEY = 'walkin:segmenter:identity';
/** With more of the identifiers touched than this, all of them at once cost less. */
const PART_OF_ALL = 0.3;
const FEW = 10_000;
/** The scope grows with what a run before left half done; it stands still soon. */
const MOST_ROUNDS = 8;
const MOST_SHARED = 5_000;

export interface Folded {
  /** Everybody was resolved, not only what new links touch. */
  readonly full: boolean;
  /** Identifiers that were looked at, and edges between them, once a source. */
  readonly identifiers: number;
  readonly edges: number;
  /** Edges that were refused because a group would be too large. */
  readonly refused: number;
  /** Identifiers that are joined with too many others to join anybody. */
  readonly shared: number;
  /** Profiles whose identifiers changed, those that went into another, those that others were split off from. */
  readonly changed: ReadonlySet<number>;
  /** New profiles; profiles that went into another; profiles that came out of another. */
  readonly made: number;
  readonly merged: number;
  readonly split: number;
  readonly seconds: number;
}

export interface Identity {
  /** Takes in what came, went or ran out since the last time. */
  fold(): Promise<Folded>;
}

type IdentityDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now' | 'log'>;

/**
 * Who is who: identifiers that were named together are one profile, as far as the limits allow. Nothing is kept in memory: a fold reads
 * what hangs together with what changed, resolves it, and writes what is different. Cut off anywhere, the next one completes it.
 */
export function createIdentity(deps: IdentityDeps): Identity {
  return { fold: () => fold(deps) };
}

async function fold(deps: IdentityDeps): Promise<Folded> {
  const { warehouse, redis } = deps;
  const began = performance.now();
  const conditions: Conditions = { now: deps.now(), revoked: sourcesRevoked(deps.things) };
  const before = await readState(deps);
  const seen = await newestLink(deps);
  const scoped = before === null ? null : await readTouched(deps, before.since, conditions);
  const graph = scoped ?? (await readWhole(warehouse, conditions));
  const groups = resolve(graph);
  const greatest = await greatestId(deps, before?.greatest ?? 0);
  const numbers = numberGroups(graph, groups, greatest);
  const sure = surenessOf(graph, groups, numbers);
  const { nodes, changed, moves } = differenceOf(graph, numbers, groups.shared, sure);
  // First the ids, so that none is given twice; last what was seen, so that what is cut off is done again.
  await redis.hset(STATE_KEY, 'profile', numbers.greatest);
  if (nodes.length > 0) {
    const version = (await lastVersion(deps)) + 1;
    await redis.hset(STATE_KEY, 'version', version);
    await writeRows(warehouse, graph, numbers, groups.shared, sure, nodes, version);
  }
  await carryCaps(redis, moves);
  const met = before !== null && before.since.seen === seen ? before.since.met : conditions.now;
  await saveState(deps, { seen, met, ran: conditions.now, revoked: conditions.revoked });
  const shared = countShared(graph, groups.shared);
  if (groups.refused > 0 || shared > 0)
    deps.log.warn({ refused: groups.refused, shared }, 'edges of groups that are too large, and identifiers that many share');
  return {
    full: scoped === null,
    identifiers: graph.size,
    edges: graph.edges,
    refused: groups.refused,
    shared,
    changed,
    made: numbers.made,
    merged: moves.filter((move) => move.merged).length,
    split: moves.filter((move) => !move.merged).length,
    seconds: (performance.now() - began) / 1000,
  };
}

interface State {
  readonly since: Since;
  readonly greatest: number;
}

/** Null: nothing is known of a run before, or it went by other rules. */
async function readState({ redis }: IdentityDeps): Promise<State | null> {
  const { seen, met, ran, revoked, rules, profile } = await redis.hgetall(STATE_KEY);
  if (seen === undefined || met === undefined || ran === undefined || Number(rules) !== RULES_VERSION) return null;
  const since = { seen: Number(seen), met: Number(met), ran: Number(ran), revoked: JSON.parse(revoked ?? '[]') as string[] };
  return { since, greatest: Number(profile ?? 0) };
}

async function saveState({ redis }: IdentityDeps, { seen, met, ran, revoked }: Since): Promise<void> {
  await redis.hset(STATE_KEY, { seen, met, ran, revoked: JSON.stringify(revoked), rules: RULES_VERSION });
}

/** The part of the graph that changed since, closed; null: so much that all of it is read. */
async function readTouched(deps: IdentityDeps, since: Since, conditions: Conditions): Promise<Graph | null> {
  const { warehouse } = deps;
  const touched = await touch(warehouse, since, conditions);
  if (touched === 0) return new Graph();
  const [all] = await warehouse.query<{ n: string }>({ sql: 'SELECT count() AS n FROM identities' });
  const isMuch = (n: number): boolean => n > FEW && n > Number(all?.n ?? 0) * PART_OF_ALL;
  if (isMuch(touched)) return null;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    if (isMuch(await close(warehouse))) return null;
    const { still, freed } = await stillShared(warehouse, conditions);
    if (still.length > MOST_SHARED) return null;
    if (freed) await close(warehouse);
    const graph = await readScope(warehouse, conditions, still);
    const missing = missingOf(graph);
    if (missing.length === 0) return graph;
    await addToScope(warehouse, missing);
  }
  deps.log.warn('the part of the identity graph that changed does not close; all of it is resolved');
  return null;
}

/** Neighbours that are not in the scope though they are not shared: a run before was cut off while it wrote. */
function missingOf(graph: Graph): string[] {
  const missing = new Set<number>();
  for (let edge = 0; edge < graph.edges; edge++) {
    const node = graph.to[edge] as number;
    if (graph.inside[node] === 0 && graph.known.shared[node] === 0) missing.add(node);
  }
  return [...missing].map((node) => graph.nodes.uuid(node));
}

async function newestLink({ warehouse }: IdentityDeps): Promise<number> {
  const sql = 'SELECT toUnixTimestamp64Milli(greatest(max(named), max(withdrawn))) AS at FROM links';
  const [row] = await warehouse.query<{ at: string }>({ sql }, LIMITS);
  return Math.max(0, Number(row?.at ?? 0));
}

/** Versions rise also where an erasure took the newest rows: who reads what is newer would miss the next ones. */
async function lastVersion({ warehouse, redis }: IdentityDeps): Promise<number> {
  const [row] = await warehouse.query<{ version: string }>({ sql: 'SELECT max(version) AS version FROM identities' });
  return Math.max(Number(row?.version ?? 0), Number((await redis.hget(STATE_KEY, 'version')) ?? 0));
}

/** An id is never given twice, not even that of a profile which is no more. */
async function greatestId({ warehouse, redis }: IdentityDeps, known: number): Promise<number> {
  if (known > 0) return known;
  const sql =
    'SELECT greatest((SELECT max(profile) FROM identities), (SELECT max(own) FROM identities), (SELECT max(profile) FROM memberships)) AS id';
  const [row] = await warehouse.query<{ id: number }>({ sql });
  return Math.max(row?.id ?? 0, Number((await redis.hget(STATE_KEY, 'profile')) ?? 0));
}

function countShared(graph: Graph, shared: Uint8Array): number {
  let count = 0;
  for (let node = 0; node < graph.size; node++) if (shared[node] === 1 && graph.inside[node] === 1) count++;
  return count;
}
