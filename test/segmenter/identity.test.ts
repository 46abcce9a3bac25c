import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createIdentity, MAX_IDENTIFIERS } from '../../segmenter/identity.ts';
import { int, seeded } from '../dmp/segments-world.ts';
import { type Rig, startRig, uuid } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.reset());

type Edge = readonly [a: number, b: number, kindA?: string, kindB?: string];

async function putEdges(edges: readonly Edge[]): Promise<void> {
  rig.pass(1);
  const at = new Date(rig.now()).toISOString();
  const rows = edges.map(([x, y, kindX = 'email', kindY = 'email']) => {
    const [a, b, kind_a, kind_b] = x <= y ? [x, y, kindX, kindY] : [y, x, kindY, kindX];
    return { a: uuid(a), kind_a, b: uuid(b), kind_b, source: 's', first_seen: at, ingested: at };
  });
  await rig.warehouse.insert('edges', rows);
}

interface Row {
  identifier: string;
  kind: string;
  profile: number;
  anchor: string;
}

async function identities(): Promise<Row[]> {
  return rig.warehouse.query<Row>({ sql: 'SELECT identifier, kind, profile, anchor FROM identities FINAL ORDER BY identifier' });
}

const profilesOf = async (): Promise<Record<string, number>> =>
  Object.fromEntries((await identities()).map((row) => [String(Number(row.identifier.slice(-12))), row.profile]));

test('identifiers that were named together are one profile, with dense ids', async () => {
  await putEdges([
    [1, 2],
    [2, 3],
    [4, 4],
    [5, 6],
  ]);
  const folded = await createIdentity(rig).fold();
  expect(folded).toMatchObject({ edges: 4, refused: 0, made: 3 });
  expect(await profilesOf()).toEqual({ 1: 1, 2: 1, 3: 1, 4: 2, 5: 3, 6: 3 });
  expect([...folded.changed].sort()).toEqual([1, 2, 3]);
});

test('where two profiles turn out to be one the smaller id and its anchor stay', async () => {
  const identity = createIdentity(rig);
  await putEdges([[9, 9]]);
  await identity.fold();
  await putEdges([[1, 1]]);
  await identity.fold();
  await putEdges([[1, 9]]);
  const folded = await identity.fold();
  expect([...folded.changed].sort()).toEqual([1, 2]);
  expect(await identities()).toEqual([
    { identifier: uuid(1), kind: 'email', profile: 1, anchor: uuid(9) },
    { identifier: uuid(9), kind: 'email', profile: 1, anchor: uuid(9) },
  ]);
});

test('the id of a profile that went into another is never given again', async () => {
  await putEdges([[1, 1]]);
  await createIdentity(rig).fold();
  await putEdges([[2, 2]]);
  await createIdentity(rig).fold();
  await putEdges([[1, 2]]);
  await createIdentity(rig).fold();
  await rig.warehouse.command({ sql: 'OPTIMIZE TABLE identities FINAL' });
  await putEdges([[3, 3]]);
  await createIdentity(rig).fold();
  expect(await profilesOf()).toEqual({ 1: 1, 2: 1, 3: 3 });
});

test('the anchor of a new profile is what bid requests would name it by, and never changes', async () => {
  const identity = createIdentity(rig);
  await putEdges([
    [1, 5, 'email', 'ifa'],
    [5, 4, 'ifa', 'cookie'],
    [2, 3, 'loyalty', 'card'],
    [7, 8, 'cookie', 'exchange'],
  ]);
  await identity.fold();
  await putEdges([[2, 6, 'loyalty', 'ifa']]);
  await identity.fold();
  const anchors = Object.fromEntries(
    (await identities()).map((row) => [Number(row.identifier.slice(-12)), Number(row.anchor.slice(-12))]),
  );
  expect(anchors).toEqual({ 1: 5, 4: 5, 5: 5, 2: 2, 3: 2, 6: 2, 7: 8, 8: 8 });
});

test('an edge without a kind says nothing against a kind that is known, and is told by one that comes later', async () => {
  const identity = createIdentity(rig);
  await putEdges([[1, 1, 'ifa', 'ifa']]);
  await identity.fold();
  await putEdges([
    [1, 1, '', ''],
    [2, 2, '', ''],
  ]);
  await identity.fold();
  expect((await identities()).map((row) => row.kind)).toEqual(['ifa', '']);
  await putEdges([[2, 2, 'cookie', 'cookie']]);
  await identity.fold();
  expect((await identities()).map((row) => row.kind)).toEqual(['ifa', 'cookie']);
});

test('a profile never grows over the limit', async () => {
  await putEdges(Array.from({ length: 150 }, (_, n): Edge => [1, n + 2]));
  const folded = await createIdentity(rig).fold();
  expect(folded.refused).toBe(151 - MAX_IDENTIFIERS);
  const sizes = await rig.warehouse.query<{ n: string }>({
    sql: 'SELECT count() AS n FROM identities FINAL GROUP BY profile ORDER BY n DESC LIMIT 2',
  });
  expect(sizes.map((row) => row.n)).toEqual([String(MAX_IDENTIFIERS), '1']);
});

test('what is read again changes nothing', async () => {
  const identity = createIdentity(rig);
  await putEdges([
    [1, 2],
    [3, 4],
  ]);
  await identity.fold();
  const again = await identity.fold();
  expect(again.edges).toBe(2);
  expect(again.changed.size).toBe(0);
  await rig.redis.flushall();
  const other = await createIdentity(rig).fold();
  expect(other.changed.size).toBe(0);
  expect(await rig.warehouse.query({ sql: 'SELECT count() AS n FROM identities' })).toEqual([{ n: '4' }]);
});

test('a fold that failed to write is made up for by the next', async () => {
  let isAway = false;
  const warehouse = {
    ...rig.warehouse,
    insert: async (table: string, rows: readonly object[]) => {
      if (isAway) throw new Error('away');
      await rig.warehouse.insert(table, rows);
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
