import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Level } from '../../dmp/identity/kinds.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { profileKey } from '../../proto/keys.ts';
import { decodeProfile } from '../../proto/profile.ts';
import { evaluate as evaluateOnly, evaluateSegments } from '../../segmenter/evaluate.ts';
import { createFacts } from '../../segmenter/facts.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { publish } from '../../segmenter/publish.ts';
import { membersOf, putLineItem, type Rig, startRig, uuid } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.reset());

async function evaluate(on: Rig, id: string): Promise<void> {
  await createFacts(on).fold();
  await evaluateOnly(on, id);
}

const PHONE = uuid(1);
const LAPTOP = uuid(2);
const EMAIL = uuid(3);
const PARTNER = uuid(4);
const ROUTER = uuid(5);

type Edge = readonly [a: string, kindA: string, b: string, kindB: string, confidence?: number];

async function putEdges(edges: readonly Edge[]): Promise<void> {
  rig.pass(1);
  const at = new Date(rig.now()).toISOString();
  const rows = edges.map(([a, kind_a, b, kind_b, confidence = 1]) => {
    return { a, kind_a, b, kind_b, confidence, source: 's', first_seen: at, ingested: at };
  });
  await rig.warehouse.insert('edges', rows);
}

async function putReceipts(buyers: readonly string[]): Promise<void> {
  const at = new Date(rig.now()).toISOString();
  const row = { source: 's', line: '1', at, store: 'x', amount: 5_000_000, currency: 'USD', quantity: '1', ingested: at };
  await rig.warehouse.insert(
    'purchases',
    buyers.map((identifier, n) => ({ ...row, receipt: `r${n}`, identifier })),
  );
}

/** A phone and a laptop are one person by e-mail, and share a network with another person's phone. */
async function family(): Promise<void> {
  await putEdges([
    [PHONE, 'ifa', EMAIL, 'email'],
    [LAPTOP, 'cookie', EMAIL, 'email'],
    [PHONE, 'ifa', ROUTER, 'ip'],
    [PARTNER, 'ifa', ROUTER, 'ip'],
  ]);
  await createIdentity(rig).fold();
}

async function segment(id: string, level: Level, count: number, number: number, confidence = 0): Promise<void> {
  const rule: Rule = { purchases: { count: { min: count } } };
  const body = { advertiser: null, name: id, rule, number, level, confidence, minimumSize: 1 };
  await rig.things.put('segment', id, body as never, { actor: 'test' });
}

async function profileOf(identifier: string): Promise<number> {
  const sql = 'SELECT profile FROM identities FINAL WHERE identifier = {identifier:UUID}';
  return (await rig.warehouse.query<{ profile: number }>({ sql, params: { identifier } }))[0]?.profile as number;
}

test('a rule counts what one device, one person or one household did, as its segment says', async () => {
  await family();
  await putReceipts([PHONE, LAPTOP, PARTNER]);
  for (const level of ['device', 'person', 'household'] as const)
    for (const count of [1, 2, 3]) {
      await segment(`${level}${count}`, level, count, count);
      await evaluate(rig, `${level}${count}`);
    }
  const [me, partner] = [await profileOf(PHONE), await profileOf(PARTNER)];
  expect(me).not.toBe(partner);
  const router = await profileOf(ROUTER);
  expect(await membersOf(rig, 'device1')).toEqual([me, partner].sort((a, b) => a - b));
  expect(await membersOf(rig, 'device2')).toEqual([]);
  expect(await membersOf(rig, 'person2')).toEqual([me]);
  expect(await membersOf(rig, 'person3')).toEqual([]);
  expect(await membersOf(rig, 'household3')).toEqual([me, partner, router].sort((a, b) => a - b));
});

test('a nested segment is read at the level of the one that names it', async () => {
  await family();
  await putReceipts([PHONE, LAPTOP]);
  await segment('inner', 'person', 2, 1);
  await rig.things.put(
    'segment',
    'outer',
    { advertiser: null, name: 'outer', rule: { segment: 'inner' }, number: 2, level: 'household' },
    { actor: 'test' },
  );
  for (const id of ['inner', 'outer']) await evaluate(rig, id);
  expect(await membersOf(rig, 'inner')).toEqual([await profileOf(PHONE)]);
  expect(await membersOf(rig, 'outer')).toContain(await profileOf(PARTNER));
});

/** Facts, identity, segments and what bidders read, as a refresh brings them about. */
async function refresh(): Promise<void> {
  await createIdentity(rig).fold();
  await evaluate(rig, 'a');
  await publish(rig);
  rig.pass(1);
}

async function foundBy(identifier: string): Promise<{ profile: number; anchor: string; segments: readonly number[] } | null> {
  const value = await rig.redis.getBuffer(profileKey(identifier));
  const found = value === null ? null : decodeProfile(value);
  if (found === null) return null;
  return { profile: found.profile, anchor: found.anchor, segments: found.memberships.map(({ segment }) => segment) };
}

test('one refresh after a merge, and one after its undoing, memberships, anchors and what bidders read are right', async () => {
  await rig.segment('a', { purchases: { count: { min: 2 } } }, 7);
  await putEdges([
    [PHONE, 'ifa', PHONE, 'ifa'],
    [LAPTOP, 'cookie', LAPTOP, 'cookie'],
  ]);
  await putReceipts([PHONE, LAPTOP]);
  await refresh();
  expect(await membersOf(rig, 'a')).toEqual([]);
  const [phone, laptop] = [await foundBy(PHONE), await foundBy(LAPTOP)];
  expect([phone?.segments, laptop?.segments]).toEqual([[], []]);

  await putEdges([[PHONE, 'ifa', LAPTOP, 'cookie']]);
  await refresh();
  const one = await profileOf(PHONE);
  expect(await membersOf(rig, 'a')).toEqual([one]);
  expect(await foundBy(LAPTOP)).toEqual({ profile: one, anchor: phone?.anchor, segments: [7] });
  expect(await foundBy(PHONE)).toEqual(await foundBy(LAPTOP));

  rig.pass(1);
  const withdrawn = new Date(rig.now()).toISOString();
  const epoch = new Date(0).toISOString();
  const gone = { source: 's', kind: '', neighbour_kind: '', first_seen: withdrawn, last_seen: epoch, named: epoch, withdrawn };
  await rig.warehouse.insert('links', [
    { ...gone, node: PHONE, neighbour: LAPTOP },
    { ...gone, node: LAPTOP, neighbour: PHONE },
  ]);
  await refresh();
  expect(await membersOf(rig, 'a')).toEqual([]);
  expect([await foundBy(PHONE), await foundBy(LAPTOP)]).toEqual([phone, laptop]);
});

test('what is less surely a person’s than a segment asks for does not count for it, and does not carry it', async () => {
  await putEdges([
    [PHONE, 'ifa', EMAIL, 'email'],
    [LAPTOP, 'cookie', EMAIL, 'email', 0.85],
  ]);
  await putReceipts([PHONE, LAPTOP]);
  const wanted = { two: 0, two85: 0.85, two90: 0.9, one90: 0.9 };
  for (const [n, [id, confidence]] of Object.entries(wanted).entries())
    await segment(id, 'person', id.startsWith('two') ? 2 : 1, n + 1, confidence);
  await putLineItem(rig, 'all', Object.keys(wanted));
  const bring = async (): Promise<void> => {
    rig.pass(1);
    await createIdentity(rig).fold();
    await createFacts(rig).fold();
    await evaluateSegments(rig, undefined);
    await publish(rig);
  };
  const memberOf = async (): Promise<string[]> => {
    const me = await profileOf(PHONE);
    const of = await Promise.all(Object.keys(wanted).map(async (id) => ((await membersOf(rig, id)).includes(me) ? [id] : [])));
    return of.flat();
  };
  await bring();
  expect(await memberOf()).toEqual(['two', 'two85', 'one90']);
  expect([(await foundBy(PHONE))?.segments, (await foundBy(LAPTOP))?.segments]).toEqual([
    [1, 2, 4],
    [1, 2],
  ]);

  await putEdges([[LAPTOP, 'cookie', EMAIL, 'email', 0.95]]);
  await bring();
  expect(await memberOf()).toEqual(['two', 'two85', 'two90', 'one90']);
  expect((await foundBy(LAPTOP))?.segments).toEqual([1, 2, 3, 4]);

  // The same members, whom other identifiers name.
  await segment('one90', 'person', 1, 4, 1);
  await bring();
  expect(await memberOf()).toEqual(['two', 'two85', 'two90', 'one90']);
  expect([(await foundBy(PHONE))?.segments, (await foundBy(LAPTOP))?.segments]).toEqual([
    [1, 2, 3, 4],
    [1, 2, 3],
  ]);
});

test('who is not surely of a household is one of their own', async () => {
  await putEdges([
    [PHONE, 'ifa', EMAIL, 'email'],
    [PARTNER, 'ifa', EMAIL, 'email', 0.6],
  ]);
  await createIdentity(rig).fold();
  await putReceipts([PHONE, PARTNER]);
  const both = [await profileOf(PHONE), await profileOf(PARTNER)].sort((a, b) => a - b);
  const expected = [
    ['two', 2, 0.5, both],
    ['parted', 2, 0.9, []],
    ['each', 1, 0.9, both],
  ] as const;
  for (const [n, [id, count, confidence, members]] of expected.entries()) {
    await segment(id, 'household', count, n + 1, confidence);
    await evaluate(rig, id);
    expect(await membersOf(rig, id), id).toEqual(members);
  }
});

test('of a person that falls apart the part with the most identifiers remains', async () => {
  // The laptop was there first, and gave the person its id.
  await putEdges([[LAPTOP, 'cookie', LAPTOP, 'cookie']]);
  await createIdentity(rig).fold();
  const first = await profileOf(LAPTOP);
  await putEdges([
    [PHONE, 'ifa', EMAIL, 'email'],
    [LAPTOP, 'cookie', EMAIL, 'email', 0.85],
  ]);
  await createIdentity(rig).fold();
  expect(await profileOf(PHONE)).toBe(first);
  const sql = 'SELECT toString(identifier) AS identifier, person_sure FROM identities FINAL ORDER BY identifier';
  const rows = await rig.warehouse.query<{ identifier: string; person_sure: number }>({ sql });
  expect(Object.fromEntries(rows.map(({ identifier, person_sure }) => [identifier, person_sure]))).toEqual({
    [PHONE]: 100,
    [LAPTOP]: 85,
    [EMAIL]: 100,
  });
});
