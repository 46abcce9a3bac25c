import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createFacts } from '../../segmenter/facts.ts';
import { allFacts, createWorld } from './facts-world.ts';
import { putPeople, type Rig, startRig, uuid } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.reset());

/** What a fold from nothing makes of the raw tables. */
async function rebuilt(): Promise<string[]> {
  await rig.redis.del('walkin:segmenter:facts');
  expect(await createFacts(rig).fold()).toMatchObject({ full: true });
  return allFacts(rig);
}

/** A rig whose warehouse throws at the nth statement that changes anything. */
function failingAt(turn: number): Rig {
  let left = turn;
  const warehouse = {
    ...rig.warehouse,
    command: async (...args: Parameters<typeof rig.warehouse.command>) => {
      if (left-- === 0) throw new Error('cut off');
      await rig.warehouse.command(...args);
    },
  };
  return Object.assign(Object.create(rig) as Rig, { warehouse, things: rig.things });
}

test.each([1, 2])('after any changes facts are what a rebuild makes, cut off or not (%i)', { timeout: 120_000 }, async (seed) => {
  const world = createWorld(rig, seed);
  const facts = createFacts(rig);
  await facts.fold();
  for (let turn = 0; turn < 12; turn++) {
    for (let n = 0; n < 10; n++) await world.change();
    if (turn % 3 === 1)
      await expect(createFacts(failingAt((turn * 5) % 40)).fold())
        .rejects.toThrow('cut off')
        .catch(() => undefined);
    if (turn % 3 === 1) for (let n = 0; n < 3; n++) await world.change();
    await facts.fold();
  }
  const folded = await allFacts(rig);
  expect(folded.length).toBeGreaterThan(15);
  expect(folded, world.log.join(', ')).toEqual(await rebuilt());
});

test('a purchase has the hour of its store, what the catalogue says of it, and its channel', async () => {
  await rig.store('st_1', 60, 24, 75, { timeZone: 'Europe/Moscow' });
  await putPeople(rig, [1]);
  const row = {
    source: 's',
    at: '2026-01-05T22:30:00.000Z',
    identifier: uuid(1),
    product: 'p',
    ingested: new Date(rig.now()).toISOString(),
  };
  await rig.warehouse.insert('products', [
    { source: 's', product: 'p', department: 'dairy', brand: 'own', ingested: row.ingested },
  ]);
  await rig.warehouse.insert('purchases', [
    { ...row, receipt: 'a', line: '1', store: 'st_1', brand: 'theirs', amount: 5, quantity: '1.5' },
    { ...row, receipt: 'b', line: '1', store: '', amount: 7, quantity: '1' },
  ]);
  await createFacts(rig).fold();
  const sql = `SELECT profile, hour, weekday, toString(day) AS day, department, brand, channel, amount, quantity FROM facts WHERE kind = 'purchase' ORDER BY amount`;
  expect(await rig.warehouse.query({ sql })).toEqual([
    {
      profile: 1,
      hour: 1,
      weekday: 2,
      day: '2026-01-05',
      department: 'dairy',
      brand: 'theirs',
      channel: 'store',
      amount: '5',
      quantity: 1.5,
    },
    {
      profile: 1,
      hour: 22,
      weekday: 1,
      day: '2026-01-05',
      department: 'dairy',
      brand: 'own',
      channel: 'online',
      amount: '7',
      quantity: 1,
    },
  ]);
});

test('an ad that was seen or clicked has its campaign, line item and creative', async () => {
  await putPeople(rig, [1]);
  const at = new Date(rig.now() - 60_000).toISOString();
  const row = {
    at,
    bid_at: at,
    ingested: at,
    identifier: uuid(1),
    anchor: uuid(1),
    test: 0,
    campaign: 'c',
    line_item: 'l',
    store: 'st',
  };
  await rig.warehouse.insert('ad_events', [
    { ...row, type: 'impression', bid: 'b1', creative: 'cr_1' },
    { ...row, type: 'click', bid: 'b2', creative: 'cr_2' },
  ]);
  await createFacts(rig).fold();
  const sql = `SELECT kind, name, item, value, place FROM facts WHERE kind IN ('impression', 'click') ORDER BY value`;
  expect(await rig.warehouse.query({ sql })).toEqual([
    { kind: 'impression', name: 'c', item: 'l', value: 'cr_1', place: 'st' },
    { kind: 'click', name: 'c', item: 'l', value: 'cr_2', place: 'st' },
  ]);
});

test('whose facts change is written down, and nobody else', async () => {
  await putPeople(rig, [1, 2, 3]);
  const facts = createFacts(rig);
  await facts.fold();
  rig.pass(600_000);
  const touched = async (): Promise<number[]> =>
    (
      await rig.warehouse.query<{ profile: number }>({
        sql: 'SELECT profile FROM touches GROUP BY profile HAVING max(fold) = (SELECT max(fold) FROM touches) ORDER BY profile',
      })
    ).map(({ profile }) => profile);
  const row = {
    source: 's',
    receipt: 'r',
    line: '1',
    at: new Date(rig.now()).toISOString(),
    identifier: uuid(2),
    amount: 1,
    quantity: '1',
  };
  await rig.warehouse.insert('purchases', [{ ...row, ingested: row.at }]);
  expect(await facts.fold()).toMatchObject({ full: false, written: 1, deleted: 0, touched: 1 });
  expect(await touched()).toEqual([2]);
  rig.pass(600_000);
  expect(await facts.fold()).toMatchObject({ written: 0, deleted: 0, touched: 0 });
  // The line was another's: both are touched.
  await rig.warehouse.insert('purchases', [{ ...row, identifier: uuid(3), ingested: new Date(rig.now()).toISOString() }]);
  expect(await facts.fold()).toMatchObject({ written: 1, deleted: 1, touched: 2 });
  expect(await touched()).toEqual([2, 3]);
});
