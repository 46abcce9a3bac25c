import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { erase } from '../../dmp/erasures/erase.ts';
import { remember } from '../../dmp/erasures/person.ts';
import { writeErasure } from '../../dmp/erasures/receipt.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { createRefresh } from '../../segmenter/refresh.ts';
import { createVisits } from '../../segmenter/visits.ts';
import { membersOf, type Rig, startRig, uuid } from './rig.ts';

/** Each test: something happens, one refresh, and the members are right. */

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const [PHONE, LAPTOP, OTHER] = [uuid(1), uuid(2), uuid(3)];
const DAY_MS = 86_400_000;
const steps = { progress: async () => undefined, checkpoint: async () => undefined };

async function refresh(): Promise<void> {
  rig.pass(1_000);
  const { segments } = await createRefresh(rig, createIdentity(rig), createVisits(rig)).all(steps);
  expect(segments.failed).toEqual([]);
}

const iso = (ms: number): string => new Date(ms).toISOString();

async function link(a: string, b: string): Promise<void> {
  rig.pass(1_000);
  const at = iso(rig.now());
  await rig.warehouse.insert('edges', [{ a, kind_a: 'ifa', b, kind_b: 'ifa', source: 's', first_seen: at, ingested: at }]);
}

async function buy(identifier: string, receipt: string, amount: number, more: object = {}): Promise<void> {
  rig.pass(1_000);
  const at = iso(rig.now());
  await rig.warehouse.insert('purchases', [
    { source: 's', receipt, line: '1', at, identifier, amount, quantity: '1', currency: 'USD', ingested: at, ...more },
  ]);
}

/** How many are in the segment, once it is true that nobody else knows better. */
async function members(): Promise<number> {
  return (await membersOf(rig, 'buyers')).length;
}

beforeEach(async () => {
  await rig.reset();
  await rig.segment('buyers', { purchases: { sum: { min: 10 }, window: { days: 30 } } }, 1);
  for (const identifier of [PHONE, LAPTOP, OTHER]) await link(identifier, identifier);
  await buy(PHONE, 'r1', 6);
  await buy(LAPTOP, 'r2', 6);
  await buy(OTHER, 'r3', 20);
  await refresh();
  expect(await members()).toBe(1);
});

test('two who turn out to be one enter for what they did together, and leave when they part again', async () => {
  await link(PHONE, LAPTOP);
  await refresh();
  expect(await members()).toBe(2);
  rig.pass(1_000);
  const [withdrawn, epoch] = [iso(rig.now()), iso(0)];
  const gone = { source: 's', kind: '', neighbour_kind: '', first_seen: withdrawn, last_seen: epoch, named: epoch, withdrawn };
  await rig.warehouse.insert('links', [
    { ...gone, node: PHONE, neighbour: LAPTOP },
    { ...gone, node: LAPTOP, neighbour: PHONE },
  ]);
  await refresh();
  expect(await members()).toBe(1);
});

test('an event that comes late counts, within the window only', async () => {
  await buy(PHONE, 'late', 6, { at: iso(rig.now() - 20 * DAY_MS) });
  await buy(LAPTOP, 'too late', 6, { at: iso(rig.now() - 40 * DAY_MS) });
  await refresh();
  expect(await members()).toBe(2);
});

test('a refund takes out whom it takes below, and a line that is sent again counts once', async () => {
  await buy(OTHER, 'refund', -15);
  await refresh();
  expect(await members()).toBe(0);
  await buy(OTHER, 'refund', -5);
  await refresh();
  expect(await members()).toBe(1);
  await buy(OTHER, 'r3', 20, { deleted: 1 });
  await refresh();
  expect(await members()).toBe(0);
});

test('a purchase that turns out to be somebody else’s moves', async () => {
  const [before] = await membersOf(rig, 'buyers');
  await buy(PHONE, 'r3', 20);
  await refresh();
  expect(await members()).toBe(1);
  expect(await membersOf(rig, 'buyers')).not.toEqual([before]);
});

test('who passes the end of the window leaves without an event', async () => {
  rig.pass(29 * DAY_MS);
  await refresh();
  expect(await members()).toBe(1);
  rig.pass(2 * DAY_MS);
  await refresh();
  expect(await members()).toBe(0);
});

test('who is erased is in nothing', async () => {
  await rig.segment('others', { not: { segment: 'buyers' } }, 2);
  await refresh();
  expect(await membersOf(rig, 'others')).toHaveLength(2);
  await remember(rig, 'er_1', [{ identifier: OTHER, profile: 0 }]);
  await writeErasure(rig, { id: 'er_1', at: iso(rig.now()), actor: 'test', receipt: null });
  expect((await erase(rig, () => createIdentity(rig).fold(), 'er_1', steps)).proof.found).toEqual([]);
  await refresh();
  expect(await members()).toBe(0);
  expect(await membersOf(rig, 'others')).toHaveLength(2);
});
