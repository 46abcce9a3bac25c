import type { DmpDeps } from '../dmp/deps.ts';
import { IDENTIFIER_KINDS } from '../proto/identifier.ts';

/** A profile never has more identifiers than this: above it, it is a till, a call centre or a fault, not a person. */
export const MAX_IDENTIFIERS = 100;

/** Hash in Redis: `edges` newest `ingested` that was folded (epoch ms), `profile` the greatest id ever given. */
const STATE_KEY = 'walkin:segmenter:identity';
/** Rows become visible a little after the time they carry; what is read twice changes nothing. */
const OVERLAP_MS = 120_000;
const BATCH = 200_000;

export interface Folded {
  /** New edges that were read, those that were refused because the profile would grow over the limit. */
  readonly edges: number;
  readonly refused: number;
  /** Profiles whose identifiers changed, and those that went into another. */
  readonly changed: ReadonlySet<number>;
  readonly profiles: number;
  readonly seconds: number;
}

export interface Identity {
  /** Folds what came in since the last time. */
  fold(): Promise<Folded>;
}

type IdentityDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'now' | 'log'>;

interface Profile {
  /** 0 until the end of the fold that makes it. */
  id: number;
  anchor: string;
  members: Member[];
}

interface Member {
  readonly key: string;
  kind: string;
  profile: Profile;
}

interface EdgeRow {
  a: string;
  kind_a: string;
  b: string;
  kind_b: string;
  at: string;
}

/** Everything that is known, in this process's memory; `version` is that of the newest row it was read from. */
interface Known {
  readonly members: Map<string, Member>;
  version: number;
  greatest: number;
}

/**
 * Who is who: identifiers that were named together are one profile. The oldest profile keeps its id and its anchor when two
 * turn out to be one, so what hangs on the anchor (holdout, caps) stays where it was.
 */
export function createIdentity(deps: IdentityDeps): Identity {
  let known: Known | null = null;
  return {
    fold: async () => {
      const began = performance.now();
      const state = known ?? { members: new Map(), version: 0, greatest: 0 };
      // Where a step below fails, memory may be ahead of the warehouse: it is read anew the next time.
      known = null;
      await catchUp(deps, state);
      const watermark = await readWatermark(deps);
      const edges = await readEdges(deps, watermark);
      const fold = foldEdges(state, edges);
      await writeMembers(deps, state, fold.touched);
      await saveState(deps, state, newest(edges, watermark));
      known = state;
      if (fold.refused > 0)
        deps.log.warn({ refused: fold.refused, limit: MAX_IDENTIFIERS }, 'edges of profiles that are too large');
      const seconds = (performance.now() - began) / 1000;
      return { edges: edges.length, refused: fold.refused, changed: fold.changed, profiles: fold.made, seconds };
    },
  };
}

/** Reads what another process, or this one in an earlier life, has written. */
async function catchUp({ warehouse, redis }: IdentityDeps, state: Known): Promise<void> {
  const sql = `SELECT identifier, kind, profile, anchor, version FROM identities FINAL
    WHERE version > {version:UInt64} ORDER BY identifier`;
  const rows = await warehouse.query<{ identifier: string; kind: string; profile: number; anchor: string; version: string }>({
    sql,
    params: { version: String(state.version) },
  });
  const profiles = new Map<number, Profile>();
  if (rows.length > 0) for (const member of state.members.values()) profiles.set(member.profile.id, member.profile);
  for (const row of rows) {
    const profile = profiles.get(row.profile) ?? { id: row.profile, anchor: row.anchor, members: [] };
    profiles.set(row.profile, profile);
    const member = state.members.get(row.identifier) ?? { key: row.identifier, kind: row.kind, profile };
    if (member.profile !== profile) member.profile.members = member.profile.members.filter((other) => other !== member);
    if (!profile.members.includes(member)) profile.members.push(member);
    member.kind = row.kind;
    member.profile = profile;
    state.members.set(row.identifier, member);
    state.version = Math.max(state.version, Number(row.version));
    state.greatest = Math.max(state.greatest, row.profile);
  }
  if (state.greatest === 0 || rows.length > 0) await raiseGreatest(warehouse, redis, state);
}

/** An id is never given twice, not even that of a profile which is no more. */
async function raiseGreatest(warehouse: IdentityDeps['warehouse'], redis: IdentityDeps['redis'], state: Known): Promise<void> {
  const sql = 'SELECT greatest((SELECT max(profile) FROM identities), (SELECT max(profile) FROM memberships)) AS profile';
  const [row] = await warehouse.query<{ profile: number }>({ sql });
  state.greatest = Math.max(state.greatest, row?.profile ?? 0, Number((await redis.hget(STATE_KEY, 'profile')) ?? 0));
}

async function readWatermark({ redis }: IdentityDeps): Promise<number> {
  return Number((await redis.hget(STATE_KEY, 'edges')) ?? 0);
}

async function readEdges({ warehouse }: IdentityDeps, watermark: number): Promise<EdgeRow[]> {
  const sql = `SELECT a, kind_a, b, kind_b, toString(toUnixTimestamp64Milli(ingested)) AS at FROM edges
    WHERE ingested > fromUnixTimestamp64Milli({after:Int64}) ORDER BY first_seen, a, b, source`;
  return warehouse.query<EdgeRow>({ sql, params: { after: Math.max(0, watermark - OVERLAP_MS) } });
}

function newest(edges: readonly EdgeRow[], watermark: number): number {
  return edges.reduce((latest, edge) => Math.max(latest, Number(edge.at)), watermark);
}

interface Fold {
  readonly touched: Set<Member>;
  readonly changed: Set<number>;
  refused: number;
  made: number;
}

function foldEdges(state: Known, edges: readonly EdgeRow[]): Fold {
  const fold: Fold = { touched: new Set(), changed: new Set(), refused: 0, made: 0 };
  const fresh: Profile[] = [];
  for (const edge of edges) {
    const a = meet(state, fold, fresh, edge.a, edge.kind_a);
    const b = meet(state, fold, fresh, edge.b, edge.kind_b);
    if (a.profile !== b.profile) join(fold, a.profile, b.profile);
  }
  for (const profile of fresh) {
    if (profile.id !== 0 || profile.members.length === 0) continue;
    profile.id = ++state.greatest;
    profile.anchor = anchorOf(profile.members);
    fold.made++;
  }
  for (const { profile } of fold.touched) fold.changed.add(profile.id);
  return fold;
}

function meet(state: Known, fold: Fold, fresh: Profile[], key: string, kind: string): Member {
  let member = state.members.get(key);
  if (member === undefined) {
    const profile: Profile = { id: 0, anchor: '', members: [] };
    member = { key, kind, profile };
    profile.members.push(member);
    fresh.push(profile);
    state.members.set(key, member);
    fold.touched.add(member);
  } else if (member.kind === '' && kind !== '') {
    // Bid requests name people without saying by what; sources know.
    member.kind = kind;
    fold.touched.add(member);
  }
  return member;
}

function join(fold: Fold, a: Profile, b: Profile): void {
  if (a.members.length + b.members.length > MAX_IDENTIFIERS) {
    fold.refused++;
    return;
  }
  const [winner, loser] = older(a, b) ? [a, b] : [b, a];
  if (loser.id !== 0) fold.changed.add(loser.id);
  for (const member of loser.members) {
    member.profile = winner;
    winner.members.push(member);
    fold.touched.add(member);
  }
  loser.members = [];
}

/** Those without an id are made by this fold, so they are the younger. */
function older(a: Profile, b: Profile): boolean {
  if (a.id === 0 || b.id === 0) return a.id !== 0;
  return a.id < b.id;
}

const PREFERENCE: readonly string[] = ['ifa', 'exchange', 'cookie'];

/** What bid requests name people by comes first: it is what the bidder would take for an anchor of somebody unknown. */
function anchorOf(members: readonly Member[]): string {
  const rank = ({ kind }: Member): number => {
    const place = PREFERENCE.indexOf(kind);
    return place === -1 ? (kind === '' ? PREFERENCE.length : PREFERENCE.length + 1) : place;
  };
  const [first] = [...members].sort((x, y) => rank(x) - rank(y) || (x.key < y.key ? -1 : 1));
  return (first as Member).key;
}

async function writeMembers({ warehouse }: IdentityDeps, state: Known, touched: ReadonlySet<Member>): Promise<void> {
  if (touched.size === 0) return;
  const version = state.version + 1;
  const rows = [...touched].map(({ key, kind, profile }) => ({
    identifier: key,
    kind: isKind(kind) ? kind : '',
    profile: profile.id,
    anchor: profile.anchor,
    version,
  }));
  for (let at = 0; at < rows.length; at += BATCH) await warehouse.insert('identities', rows.slice(at, at + BATCH));
  state.version = version;
}

function isKind(kind: string): boolean {
  return (IDENTIFIER_KINDS as readonly string[]).includes(kind);
}

async function saveState({ redis }: IdentityDeps, state: Known, watermark: number): Promise<void> {
  await redis.hset(STATE_KEY, { edges: watermark, profile: state.greatest });
}
