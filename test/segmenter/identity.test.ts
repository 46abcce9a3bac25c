import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { KIND_TERMS, MOST_AT_HOME, MOST_OF } from '../../dmp/identity/kinds.ts';
import { capsKey } from '../../proto/keys.ts';
import { createIdentity, type Folded } from '../../segmenter/identity.ts';
import { int, seeded } from '../dmp/segments-world.ts';
import { type Rig, startRig, uuid } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.reset());

const MINUTE = 60_000;
const DAY = 86_400_000;

type Edge = readonly [a: number, b: number, kindA?: string, kindB?: string, source?: string];

async function putEdges(edges: readonly Edge[], confidence = 1): Promise<void> {
  rig.pass(1);
  const at = new Date(rig.now()).toISOString();
  const rows = edges.map(([x, y, kindX = 'cookie', kindY = 'cookie', source = 's']) => {
    const [a, b, kind_a, kind_b] = x <= y ? [x, y, kindX, kindY] : [y, x, kindY, kindX];
    return { a: uuid(a), kind_a, b: uuid(b), kind_b, source, first_seen: at, ingested: at, confidence };
  });
  await rig.warehouse.insert('edges', rows);
}

/** Takes back what a source said of two identifiers. */
async function withdraw(a: number, b: number, source = 's'): Promise<void> {
  rig.pass(1);
  const withdrawn = new Date(rig.now()).toISOString();
  const old = new Date(0).toISOString();
  const row = { source, kind: '', neighbour_kind: '', first_seen: withdrawn, last_seen: old, named: old, withdrawn };
  await rig.warehouse.insert('links', [
    { ...row, node: uuid(a), neighbour: uuid(b) },
    { ...row, node: uuid(b), neighbour: uuid(a) },
  ]);
}

const fold = async (): Promise<Folded> => {
  const folded = await createIdentity(rig).fold();
  // Beyond the time within which links are looked at twice.
  rig.pass(3 * MINUTE);
  return folded;
};

interface Row {
  identifier: string;
  kind: string;
  profile: number;
  anchor: string;
  device: number;
  household: number;
  shared: number;
}

async function identities(): Promise<Row[]> {
  return rig.warehouse.query<Row>({
    sql: 'SELECT identifier, kind, profile, anchor, device, household, shared FROM identities FINAL ORDER BY identifier',
  });
}

const nameOf = (identifier: string): number => Number(identifier.slice(-12));

async function column<K extends keyof Row>(name: K): Promise<Record<number, Row[K]>> {
  return Object.fromEntries((await identities()).map((row) => [nameOf(row.identifier), row[name]]));
}

const profilesOf = () => column('profile');
const anchorsOf = async () =>
  Object.fromEntries(Object.entries(await column('anchor')).map(([name, anchor]) => [name, nameOf(anchor)]));

describe('joining', () => {
  test('identifiers that were named together are one profile, with dense ids', async () => {
    await putEdges([
      [1, 2],
      [2, 3],
      [4, 4],
      [5, 6],
    ]);
    const folded = await fold();
    expect(folded).toMatchObject({ full: true, edges: 3, refused: 0, made: 3, merged: 0, split: 0 });
    expect(await profilesOf()).toEqual({ 1: 1, 2: 1, 3: 1, 4: 2, 5: 3, 6: 3 });
    expect([...folded.changed].sort()).toEqual([1, 2, 3]);
  });

  test('where two profiles turn out to be one the smaller id and its anchor stay', async () => {
    await putEdges([[9, 9]]);
    await fold();
    await putEdges([[1, 1]]);
    await fold();
    await putEdges([[1, 9]]);
    const folded = await fold();
    expect(folded).toMatchObject({ full: false, identifiers: 2, merged: 1, split: 0 });
    expect([...folded.changed].sort()).toEqual([1, 2]);
    expect(await identities()).toMatchObject([
      { identifier: uuid(1), profile: 1, anchor: uuid(9) },
      { identifier: uuid(9), profile: 1, anchor: uuid(9) },
    ]);
  });

  test('the id of a profile that went into another is never given again', async () => {
    await putEdges([[1, 1]]);
    await fold();
    await putEdges([[2, 2]]);
    await fold();
    await putEdges([[1, 2]]);
    await fold();
    await rig.warehouse.command({ sql: 'OPTIMIZE TABLE identities FINAL' });
    await rig.redis.flushall();
    await putEdges([[3, 3]]);
    await fold();
    expect(await profilesOf()).toEqual({ 1: 1, 2: 1, 3: 3 });
  });

  test('the anchor of a new profile is what bid requests would name it by, and never changes', async () => {
    await putEdges([
      [1, 5, 'email', 'ifa'],
      [5, 4, 'ifa', 'cookie'],
      [2, 3, 'loyalty', 'card'],
      [7, 8, 'cookie', 'exchange'],
    ]);
    await fold();
    await putEdges([[2, 6, 'loyalty', 'ifa']]);
    await fold();
    expect(await anchorsOf()).toEqual({ 1: 5, 4: 5, 5: 5, 2: 2, 3: 2, 6: 2, 7: 8, 8: 8 });
  });

  test('an edge without a kind says nothing against a kind that is known, and is told by one that comes later', async () => {
    await putEdges([[1, 1, 'ifa', 'ifa']]);
    await fold();
    await putEdges([
      [1, 1, '', ''],
      [2, 2, '', ''],
    ]);
    await fold();
    expect(Object.values(await column('kind'))).toEqual(['ifa', '']);
    await putEdges([[2, 2, 'cookie', 'cookie']]);
    await fold();
    expect(Object.values(await column('kind'))).toEqual(['ifa', 'cookie']);
  });

  test('what is read again changes nothing, also without Redis', async () => {
    await putEdges([
      [1, 2],
      [3, 4],
    ]);
    await fold();
    expect((await fold()).changed.size).toBe(0);
    await rig.redis.flushall();
    expect(await fold()).toMatchObject({ full: true, made: 0 });
    expect(await rig.warehouse.query({ sql: 'SELECT count() AS n FROM identities' })).toEqual([{ n: '4' }]);
  });

  test('data of the version before keeps its ids and anchors', async () => {
    const row = { kind: 'ifa', version: 3 };
    await rig.warehouse.insert('identities', [
      { ...row, identifier: uuid(1), profile: 7, anchor: uuid(1) },
      { ...row, identifier: uuid(2), kind: 'email', profile: 7, anchor: uuid(1) },
      { ...row, identifier: uuid(3), profile: 9, anchor: uuid(3) },
    ]);
    await putEdges([
      [1, 2, 'ifa', 'email'],
      [3, 3, 'ifa', 'ifa'],
      [4, 4, 'ifa', 'ifa'],
    ]);
    await fold();
    expect(await profilesOf()).toEqual({ 1: 7, 2: 7, 3: 9, 4: 10 });
    expect(await anchorsOf()).toEqual({ 1: 1, 2: 1, 3: 3, 4: 4 });
  });

  test('a fold that failed to write is made up for by the next', async () => {
    let isAway = false;
    const warehouse: Rig['warehouse'] = {
      ...rig.warehouse,
      insertText: async (table, columns, text, token) => {
        if (isAway) throw new Error('away');
        await rig.warehouse.insertText(table, columns, text, token);
      },
    };
    const identity = createIdentity({ ...rig, warehouse });
    await putEdges([[1, 1]]);
    await identity.fold();
    await putEdges([[1, 2]]);
    isAway = true;
    await expect(identity.fold()).rejects.toThrow('away');
    isAway = false;
    await identity.fold();
    expect(await profilesOf()).toEqual({ 1: 1, 2: 1 });
  });

  test('a fold that wrote one half of a merge is made up for by the next', async () => {
    await putEdges([
      [1, 2],
      [3, 4],
      [4, 5],
    ]);
    await fold();
    await putEdges([[2, 3]]);
    // The merge wrote this one row and died.
    const half = {
      identifier: uuid(3),
      kind: 'cookie',
      profile: 1,
      anchor: uuid(1),
      version: 2,
      own: 2,
      device: 1,
      household: 1,
    };
    await rig.warehouse.insert('identities', [{ ...half, cluster: 1, shared: 0 }]);
    expect((await fold()).full).toBe(false);
    expect(await profilesOf()).toEqual({ 1: 1, 2: 1, 3: 1, 4: 1, 5: 1 });
  });
});

describe('parting', () => {
  /** 1-2 and 3-4 are one person by 2-3. */
  async function merged(kind = 'cookie'): Promise<void> {
    await putEdges([[1, 2]]);
    await fold();
    await putEdges([[3, 4]]);
    await fold();
    await putEdges([[2, 3, kind, kind, 'partner']]);
    await fold();
    expect(await profilesOf()).toEqual({ 1: 1, 2: 1, 3: 1, 4: 1 });
  }

  const APART = { 1: 1, 2: 1, 3: 2, 4: 2 };

  test('an edge that is withdrawn parts whom it had joined, and each has the id and the anchor that it had', async () => {
    await merged();
    await withdraw(2, 3, 'partner');
    const folded = await fold();
    expect(folded).toMatchObject({ full: false, identifiers: 4, merged: 0, split: 1, made: 0 });
    expect([...folded.changed].sort()).toEqual([1, 2]);
    expect(await profilesOf()).toEqual(APART);
    expect(await anchorsOf()).toEqual({ 1: 1, 2: 1, 3: 3, 4: 3 });
  });

  test('who is named together again after a withdrawal is one again', async () => {
    await merged();
    await withdraw(2, 3, 'partner');
    await fold();
    await putEdges([[2, 3, 'cookie', 'cookie', 'partner']]);
    expect(await fold()).toMatchObject({ merged: 1 });
    expect(await profilesOf()).toEqual({ 1: 1, 2: 1, 3: 1, 4: 1 });
  });

  test('what another source says stands', async () => {
    await merged();
    await putEdges([[2, 3]]);
    await withdraw(2, 3, 'partner');
    await fold();
    expect(await profilesOf()).toEqual({ 1: 1, 2: 1, 3: 1, 4: 1 });
  });

  test('an edge runs out when nobody brought it for its time to live', async () => {
    await merged();
    rig.pass((KIND_TERMS.cookie.days - 1) * DAY);
    await putEdges([
      [1, 2],
      [3, 4],
    ]);
    await fold();
    expect(await profilesOf()).toEqual({ 1: 1, 2: 1, 3: 1, 4: 1 });
    rig.pass(2 * DAY);
    expect(await fold()).toMatchObject({ full: false, split: 1 });
    expect(await profilesOf()).toEqual(APART);
  });

  test('a source whose contract ends takes its edges along, and gives them back when it goes on', async () => {
    const source = { name: 'partner', party: '2p', timeZone: 'UTC', currency: 'USD' } as const;
    const revoked = { at: new Date().toISOString(), reason: '', actor: 'test', erase: false };
    await rig.things.put('source', 'partner', source, { actor: 'test' });
    await merged();
    await rig.things.put('source', 'partner', { ...source, revoked }, { actor: 'test' });
    expect(await fold()).toMatchObject({ full: false, split: 1 });
    expect(await profilesOf()).toEqual(APART);
    await rig.things.put('source', 'partner', source, { actor: 'test' });
    expect(await fold()).toMatchObject({ full: false, merged: 1 });
    expect(await profilesOf()).toEqual({ 1: 1, 2: 1, 3: 1, 4: 1 });
  });

  test('an identifier that many come to share lets go of all of them', async () => {
    const most = KIND_TERMS.email.most;
    const users = Array.from({ length: most }, (_, n): Edge => [100, n + 1, 'ifa', 'email']);
    await putEdges(users);
    await fold();
    expect(new Set(Object.values(await profilesOf())).size).toBe(1);
    await putEdges([[100, most + 1, 'ifa', 'email']]);
    expect(await fold()).toMatchObject({ full: false, shared: 1 });
    expect(new Set(Object.values(await profilesOf())).size).toBe(most + 2);
    expect(await column('shared')).toMatchObject({ 1: 0, 100: 1 });
  });

  test('frequency counters add up where two become one, and nobody’s cap begins anew where they part', async () => {
    await putEdges([[1, 2]]);
    await fold();
    await putEdges([[3, 4]]);
    await fold();
    const [first, second] = [capsKey(uuid(1)), capsKey(uuid(3))];
    await rig.redis.hset(first, { 'li:3600000:5': 2 });
    await rig.redis.hset(second, { 'li:3600000:5': 3, 'lj:3600000:5': 1 });
    await rig.redis.expire(second, 1000);
    await putEdges([[2, 3, 'cookie', 'cookie', 'partner']]);
    await fold();
    expect(await rig.redis.hgetall(first)).toEqual({ 'li:3600000:5': '5', 'lj:3600000:5': '1' });
    expect(await rig.redis.ttl(first)).toBeGreaterThan(900);
    await rig.redis.hincrby(first, 'li:3600000:5', 1);
    await withdraw(2, 3, 'partner');
    await fold();
    expect(await rig.redis.hgetall(second)).toMatchObject({ 'li:3600000:5': '6', 'lj:3600000:5': '1' });
    expect(await rig.redis.hgetall(first)).toMatchObject({ 'li:3600000:5': '6' });
    await putEdges([[2, 3, 'cookie', 'cookie', 'partner']]);
    await fold();
    expect(await rig.redis.hgetall(first)).toMatchObject({ 'li:3600000:5': '6', 'lj:3600000:5': '1' });
  });
});

describe('limits', () => {
  test('an office printer that has seen a town joins nobody, and the town stays as it is', async () => {
    const town = Array.from({ length: 400 }, (_, n): Edge => [1_000 + n, 2_000 + n, 'ifa', 'email']);
    await putEdges(town);
    await fold();
    const before = await profilesOf();
    await putEdges(Array.from({ length: 400 }, (_, n): Edge => [1, 1_000 + n, 'mac', 'ifa']));
    const folded = await fold();
    expect(folded.shared).toBe(1);
    expect(await profilesOf()).toMatchObject(before);
    expect(new Set(Object.values(await profilesOf())).size).toBe(401);
    // Its next edge costs what an edge costs, once the town's are settled.
    await fold();
    await putEdges([
      [1, 5_000, 'mac', 'ifa'],
      [5_000, 5_001, 'ifa', 'email'],
    ]);
    const next = await fold();
    expect(next).toMatchObject({ full: false, made: 1 });
    expect(next.identifiers).toBeLessThan(10);
  });

  test('a shared identifier whose edges ran out joins the few that are left', async () => {
    const most = KIND_TERMS.email.most;
    const some = Array.from({ length: most }, (_, n): Edge => [100, n + 1, 'ifa', 'email']);
    await putEdges([...some, [100, 50, 'ifa', 'email']]);
    await fold();
    expect(new Set(Object.values(await profilesOf())).size).toBe(most + 2);
    rig.pass((KIND_TERMS.ifa.days - 1) * DAY);
    await putEdges(some);
    await fold();
    rig.pass(2 * DAY);
    expect(await fold()).toMatchObject({ full: false, shared: 0 });
    const profiles = await profilesOf();
    expect(new Set(Array.from({ length: most }, (_, n) => profiles[n + 1])).size).toBe(1);
    expect(profiles[100]).toBe(profiles[1]);
    expect(profiles[50]).not.toBe(profiles[1]);
  });

  test('a chain without any shared identifier is cut where it would be too long, the oldest edges first', async () => {
    const chain = (from: number, to: number) => Array.from({ length: to - from }, (_, n): Edge => [from + n, from + n + 1]);
    await putEdges(chain(1, 80));
    await fold();
    await putEdges(chain(80, 160));
    expect((await fold()).refused).toBeGreaterThan(0);
    const profiles = await profilesOf();
    expect(new Set(Array.from({ length: 80 }, (_, n) => profiles[n + 1])).size).toBe(1);
    const sizes = new Map<number, number>();
    for (const profile of Object.values(profiles)) sizes.set(profile, (sizes.get(profile) ?? 0) + 1);
    expect(Math.max(...sizes.values())).toBeLessThanOrEqual(MOST_OF.person);
    expect((await fold()).changed.size).toBe(0);
  });
});

describe('levels', () => {
  test('a device, a person and a household are three groups, one within the other', async () => {
    await putEdges([
      [1, 2, 'ifa', 'exchange'],
      [1, 3, 'ifa', 'email'],
      [4, 3, 'cookie', 'email'],
      [5, 6, 'ifa', 'loyalty'],
      [1, 9, 'ifa', 'ip'],
      [5, 9, 'ifa', 'ip'],
    ]);
    await fold();
    const profile = await profilesOf();
    const device = await column('device');
    const household = await column('household');
    expect([profile[1], profile[2], profile[3]]).toEqual([profile[4], profile[4], profile[4]]);
    expect(profile[5]).toBe(profile[6]);
    expect(profile[5]).not.toBe(profile[1]);
    expect(device[1]).toBe(device[2]);
    expect(device[4]).not.toBe(device[1]);
    expect([device[3], device[6]]).toEqual([0, 0]);
    expect([household[1], household[4], household[6]]).toEqual([household[5], household[5], household[5]]);
    expect(Object.values(device)).toContain(profile[1]);
  });

  test('a network with many devices is no household', async () => {
    const edges = Array.from({ length: MOST_AT_HOME + 1 }, (_, n): Edge => [n + 1, 99, 'ifa', 'ip']);
    await putEdges(edges);
    expect((await fold()).shared).toBe(1);
    expect(new Set(Object.values(await column('household'))).size).toBe(MOST_AT_HOME + 2);
  });

  test('an edge that its source is not sure of makes a household and no person', async () => {
    await putEdges([[1, 2, 'ifa', 'ifa']], 0.5);
    await fold();
    expect(await profilesOf()).toEqual({ 1: 1, 2: 2 });
    expect(await column('household')).toEqual({ 1: 1, 2: 1 });
    await putEdges([[1, 2, 'ifa', 'ifa']], 0.95);
    await fold();
    expect(await profilesOf()).toEqual({ 1: 1, 2: 1 });
  });
});

describe('any graph', () => {
  test('random edges in random portions, by processes that take turns, give the components of the graph', async () => {
    const random = seeded(5);
    const edges = Array.from({ length: 150 }, (): Edge => [int(random, 1, 300), int(random, 1, 300)]);
    const processes = [createIdentity(rig), createIdentity(rig)];
    for (let from = 0; from < edges.length; ) {
      const portion = int(random, 1, 30);
      await putEdges(edges.slice(from, from + portion));
      from += portion;
      await processes[int(random, 0, 1)]?.fold();
    }
    const parent = new Map<number, number>();
    const root = (n: number): number => (parent.has(n) && parent.get(n) !== n ? root(parent.get(n) as number) : n);
    for (const [a, b] of edges) {
      for (const n of [a, b]) if (!parent.has(n)) parent.set(n, n);
      parent.set(root(a), root(b));
    }
    const found = await profilesOf();
    const nodes = [...parent.keys()];
    expect(Object.keys(found).length).toBe(nodes.length);
    for (const a of nodes) for (const b of nodes) expect(found[a] === found[b], `${a} ${b}`).toBe(root(a) === root(b));
    const anchors = await rig.warehouse.query({
      sql: 'SELECT profile FROM identities FINAL GROUP BY profile HAVING uniqExact(anchor) > 1',
    });
    expect(anchors).toEqual([]);
  });

  test('whatever comes, goes and runs out step by step, the groups are those of a resolution of everything', async () => {
    const kinds = ['ifa', 'cookie', 'email', 'loyalty', 'ip', 'exchange'];
    const kindOf = (n: number): string => kinds[n % kinds.length] as string;
    for (const seed of [1, 2, 3]) {
      await rig.reset();
      const random = seeded(seed);
      const put: Edge[] = [];
      for (let step = 0; step < 14; step++) {
        const hub = int(random, 1, 120);
        const fresh = Array.from({ length: int(random, 1, 25) }, (_, n): Edge => {
          const [a, b] = [n % 3 === 0 ? hub : int(random, 1, 120), int(random, 1, 120)];
          return [a, b, kindOf(a), kindOf(b), random() < 0.5 ? 's' : 't'];
        });
        await putEdges(fresh);
        put.push(...fresh);
        for (let n = int(random, 0, 4); n > 0; n--) {
          const [a, b, , , source] = put[int(random, 0, put.length - 1)] as Edge;
          if (a !== b) await withdraw(a, b, source);
        }
        if (random() < 0.4) rig.pass(int(random, 1, 100) * DAY);
        await fold();
      }
      const stepwise = await groupsOf();
      await rig.redis.flushall();
      expect(await fold()).toMatchObject({ full: true });
      expect(await groupsOf(), `seed ${seed}`).toEqual(stepwise);
      expect(stepwise.length).toBeGreaterThan(50);
    }
  });

  /** Ids and all: a resolution of everything changes nothing. */
  async function groupsOf() {
    return rig.warehouse.query({
      sql: 'SELECT identifier, kind, profile, anchor, device, household, cluster, shared FROM identities FINAL ORDER BY identifier',
    });
  }
});
