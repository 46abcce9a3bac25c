import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { readPresence } from '../../dmp/sources/presence.ts';
import { readKept } from '../../dmp/sources/retention.ts';
import type { Source } from '../../dmp/sources/source.ts';
import { createFacts } from '../../segmenter/facts.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { retain } from '../../segmenter/retention.ts';
import { allFacts } from './facts-world.ts';
import { putPeople, type Rig, startRig, uuid } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(async () => {
  await rig.reset();
  for (const table of ['pages', 'redemptions', 'quarantine', 'arrivals', 'source_kinds'])
    await rig.warehouse.command({ sql: `TRUNCATE TABLE ${table}` });
});

const DAY = 86_400_000;
const steps = { progress: async () => undefined, checkpoint: async () => undefined };
const run = () => retain(rig, createIdentity(rig), steps);

async function source(id: string, more: Partial<Source> = {}): Promise<void> {
  await rig.things.put('source', id, { name: id, party: '2p', timeZone: 'UTC', currency: 'USD', ...more }, { actor: 'test' });
}

/** A purchase that came in so many milliseconds ago. */
const purchase = (of: string, receipt: string, age: number, more: object = {}): object => ({
  source: of,
  receipt,
  line: '1',
  at: new Date(rig.now() - 400 * DAY).toISOString(),
  identifier: uuid(1),
  amount: 1,
  quantity: '1',
  ingested: new Date(rig.now() - age).toISOString(),
  ...more,
});

const left = async (): Promise<string[]> =>
  (
    await rig.warehouse.query<{ r: string }>({ sql: "SELECT concat(source, ' ', receipt) AS r FROM purchases FINAL ORDER BY r" })
  ).map(({ r }) => r);

test('exactly the rows past their source’s time are deleted, to the millisecond', async () => {
  await source('short', { retention: { purchase: 10 } });
  await source('long', { retention: { page: 1 } });
  await rig.warehouse.insert('purchases', [
    purchase('short', 'past', 10 * DAY + 1),
    purchase('short', 'on time', 10 * DAY),
    purchase('long', 'old', 1_000 * DAY),
    purchase('nobody', 'old', 1_000 * DAY),
  ]);
  const before = await readKept(rig.warehouse, rig.things, rig.now());
  expect(before.map(({ source: of, kind, days, rows, past }) => [of, kind, days, rows, past])).toEqual([
    ['long', 'purchase', 1_096, 1, 0],
    ['nobody', 'purchase', 1_096, 1, 0],
    ['short', 'purchase', 10, 2, 1],
  ]);
  expect(await run()).toMatchObject({ deleted: [{ source: 'short', kind: 'purchase', past: 1 }], erased: [] });
  expect(await left()).toEqual(['long old', 'nobody old', 'short on time']);
  expect((await readKept(rig.warehouse, rig.things, rig.now())).some(({ past }) => past > 0)).toBe(false);
  rig.pass(1);
  await run();
  expect(await left()).toEqual(['long old', 'nobody old']);
});

test('a row that was sent again is kept from then on, and deleting it brings no older copy back', async () => {
  await source('s', { retention: { purchase: 10 } });
  await rig.warehouse.insert('purchases', [purchase('s', 'again', 20 * DAY, { amount: 1 })]);
  await rig.warehouse.insert('purchases', [purchase('s', 'again', 5 * DAY, { amount: 2 })]);
  await run();
  expect(await rig.warehouse.query({ sql: 'SELECT amount FROM purchases FINAL' })).toEqual([{ amount: '2' }]);
  rig.pass(6 * DAY);
  await run();
  expect(await left()).toEqual([]);
});

test('a table’s own time ends also what a contract would keep longer', async () => {
  await source('s', { retention: { page: 3_000 } });
  const page = { source: 's', id: 'p', identifier: uuid(1), at: new Date(rig.now()).toISOString(), url: 'u' };
  await rig.warehouse.insert('pages', [{ ...page, ingested: new Date(rig.now()).toISOString() }]);
  expect(await readKept(rig.warehouse, rig.things, rig.now())).toMatchObject([{ kind: 'page', days: 183, past: 0 }]);
  rig.pass(184 * DAY);
  expect(await run()).toMatchObject({ deleted: [{ source: 's', kind: 'page', past: 1 }] });
});

test('attributes are kept by the time of their event', async () => {
  await source('s', { retention: { identify: 30 } });
  const attribute = (name: string, age: number) => ({
    source: 's',
    identifier: uuid(1),
    name,
    text: 'x',
    at: new Date(rig.now() - age).toISOString(),
  });
  await rig.warehouse.insert('attributes', [attribute('old', 31 * DAY), attribute('new', 29 * DAY)]);
  await run();
  expect(await rig.warehouse.query({ sql: 'SELECT name FROM attributes FINAL' })).toEqual([{ name: 'new' }]);
});

test('a source that was revoked to be erased leaves nothing, and the others all of theirs', async () => {
  const revoked = { at: new Date(rig.now()).toISOString(), reason: '', actor: 'test', erase: true };
  await source('gone', { revoked });
  await source('kept', { revoked: { ...revoked, erase: false } });
  const now = new Date(rig.now()).toISOString();
  for (const of of ['gone', 'kept']) {
    await rig.warehouse.insert('purchases', [purchase(of, 'r', 0)]);
    await rig.warehouse.insert('edges', [
      { a: uuid(1), kind_a: 'ifa', b: uuid(2), kind_b: 'loyalty', source: of, first_seen: now, ingested: now },
    ]);
    await rig.warehouse.insert('quarantine', [{ id: of, at: now, source: of, code: 'bad_time', original: 'x' }]);
    await rig.warehouse.insert('visits', [
      {
        identifier: uuid(of === 'gone' ? 1 : 2),
        kind: 'store',
        place: 'st',
        day: now.slice(0, 10),
        start: now,
        end: now,
        version: rig.now(),
        sources: [of],
      },
    ]);
  }
  expect(await run()).toMatchObject({ erased: ['gone'] });
  const tables = ['purchases', 'edges', 'links', 'quarantine'];
  for (const table of tables)
    expect(await rig.warehouse.query({ sql: `SELECT DISTINCT toString(source) AS source FROM ${table}` }), table).toEqual([
      { source: 'kept' },
    ]);
  expect(await rig.warehouse.query({ sql: 'SELECT sources FROM visits' })).toEqual([{ sources: ['kept'] }]);
  // What was used was used: the cost of the past still knows it.
  expect((await readPresence(rig.warehouse)).get('purchase')?.has('gone')).toBe(true);
});

test('facts go with the rows that they were made of, and their people are asked again', async () => {
  await source('short', { retention: { purchase: 10 } });
  const facts = createFacts(rig);
  await putPeople(rig, [1, 2]);
  await rig.warehouse.insert('purchases', [
    purchase('short', 'past', 10 * DAY - 1_000),
    purchase('short', 'on time', 0),
    purchase('other', 'old', 1_000 * DAY, { identifier: uuid(2) }),
  ]);
  await facts.fold();
  rig.pass(2_000);
  await run();
  const kept = `SELECT toString(source) AS s, count() AS n FROM facts WHERE kind = 'purchase' GROUP BY s ORDER BY s`;
  expect(await rig.warehouse.query({ sql: kept })).toEqual([
    { s: 'other', n: '1' },
    { s: 'short', n: '1' },
  ]);
  const again = 'SELECT profile FROM touches WHERE fold > 1';
  expect(await rig.warehouse.query({ sql: again })).toEqual([{ profile: 1 }]);
  const before = await allFacts(rig);
  await facts.fold();
  expect(await allFacts(rig)).toEqual(before);
});
