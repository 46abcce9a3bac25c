import type { DmpDeps } from '../dmp/deps.ts';
import { IDENTIFIER_KINDS } from '../proto/identifier.ts';

/** A profile never has more identifiers than this: above it, it is a till, a call centre or a fault, not a person. */
export const MAX_IDENTIFIERS = 100;

/** Hash in Redis: `edges` newest `ingested` that was folded (epoch ms), `profile` the greatest id ever given. */
const STATE_KEY = 'walkin:segmenter:identity';
/** Rows become visible a little after the time they carry; what is read twice changes nothing. */
const OVERLAP_MS = 120_000;
const PAGE = 500_000;
const BATCH = 200_000;

export interface Folded {
  /** New edges that were read, those that were refused because the profile would grow over the limit. */
  readonly edges: number;
  readonly refused: number;
  /** Profiles whose identifiers changed, and those that went into another. */
  readonly changed: ReadonlySet<number>;
  /** New profiles. */
  readonly made: number;
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
  readonly a: string;
  readonly kind_a: string;
  readonly b: string;
  readonly kind_b: string;
  readonly source: string;
  /** Epoch ms, of `ingested`. */
  readonly at: string;
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
      const total = { edges: 0, refused: 0, made: 0, changed: new Set<number>() };
      for await (const edges of readEdges(deps, PAGE)) {
        const fold = foldEdges(state, edges);
        await writeMembers(deps, state, fold.touched);
        await saveState(deps, state, Number((edges.at(-1) as EdgeRow).at));
        total.edges += edges.length;
        total.refused += fold.refused;
        total.made += fold.made;
        for (const profile of fold.changed) total.changed.add(profile);
      }
      known = state;
      if (total.refused > 0)
        deps.log.warn({ refused: total.refused, limit: MAX_IDENTIFIERS }, 'edges of profiles that are too large');
      return { ...total, seconds: (performance.now() - began) / 1000 };
    },
  };
}

/** Reads what another process, or this one in an earlier life, has written. */
async function catchUp({ warehouse, redis }: IdentityDeps, state: Known): Promise<void> {
  const [newest] = await warehouse.query<{ version: string }>({ sql: 'SELECT max(version) AS version FROM identities' });
  if (state.greatest > 0 && Number(newest?.version ?? 0) <= state.version) return;
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
  await raiseGreatest(warehouse, redis, state);
}

/** An id is never given twice, not even that of a profile which is no more. */
async function raiseGreatest(warehouse: IdentityDeps['warehouse'], redis: IdentityDeps['redis'], state: Known): Promise<void> {
  const sql = 'SELECT greatest((SELECT max(profile) FROM identities), (SELECT max(profile) FROM memberships)) AS profile';
  const [row] = await warehouse.query<{ profile: number }>({ sql });
  state.greatest = Math.max(state.greatest, row?.profile ?? 0, Number((await redis.hget(STATE_KEY, 'profile')) ?? 0));
}

/** The edges since the watermark, in the order in which they came in. */
async function* readEdges({ warehouse, redis }: IdentityDeps, page: number): AsyncGenerator<EdgeRow[]> {
  const zero = '00000000-0000-0000-0000-000000000000';
  const watermark = Number((await redis.hget(STATE_KEY, 'edges')) ?? 0);
  let last: Pick<EdgeRow, 'at' | 'a' | 'b' | 'source'> = {
    at: String(Math.max(0, watermark - OVERLAP_MS)),
    a: zero,
    b: zero,
    source: '',
  };
  const sql = `SELECT a, kind_a, b, kind_b, source, toUnixTimestamp64Milli(ingested) AS at FROM edges
    WHERE ingested >= fromUnixTimestamp64Milli({at:Int64})
      AND (ingested, a, b, source) > (fromUnixTimestamp64Milli({at:Int64}), {a:UUID}, {b:UUID}, {source:String})
    ORDER BY ingested, a, b, source LIMIT {page:UInt32}`;
  for (;;) {
    const { at, a, b, source } = last;
    const edges = await warehouse.query<EdgeRow>({ sql, params: { at, a, b, source, page } });
    const end = edges.at(-1);
    if (end === undefined) return;
    yield edges;
    if (edges.length < page) return;
    last = end;
  }
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

/**
 * One insert is written whole or not at all, and a profile's rows never span two: half a merge would look like a finished one
 * to those who read on after a crash.
 */
async function writeMembers({ warehouse }: IdentityDeps, state: Known, touched: ReadonlySet<Member>): Promise<void> {
  if (touched.size === 0) return;
  const version = state.version + 1;
  const members = [...touched].sort((a, b) => a.profile.id - b.profile.id);
  for (let from = 0; from < members.length; ) {
    let to = Math.min(from + BATCH, members.length);
    while (to < members.length && members[to]?.profile === members[to - 1]?.profile) to++;
    const rows = members.slice(from, to).map((member) => rowOf(member, version));
    await warehouse.insert('identities', rows);
    from = to;
  }
  state.version = version;
}

function rowOf({ key, kind, profile }: Member, version: number): object {
  return { identifier: key, kind: isKind(kind) ? kind : '', profile: profile.id, anchor: profile.anchor, version };
}

function isKind(kind: string): boolean {
  return (IDENTIFIER_KINDS as readonly string[]).includes(kind);
}

async function saveState({ redis }: IdentityDeps, state: Known, watermark: number): Promise<void> {
  await redis.hset(STATE_KEY, { edges: watermark, profile: state.greatest });
}
