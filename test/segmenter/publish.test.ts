import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { profileKey } from '../../proto/keys.ts';
import { decodeProfile, hourOf, type PublishedProfile } from '../../proto/profile.ts';
import { evaluate, retireDeleted } from '../../segmenter/evaluate.ts';
import { publish } from '../../segmenter/publish.ts';
import { putAttribute, putPeople, type Rig, startRig, uuid } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.reset());

const HOUR = 3_600_000;

async function published(n: number): Promise<PublishedProfile | null> {
  const value = await rig.redis.getBuffer(profileKey(uuid(n)));
  return value === null ? null : decodeProfile(value);
}

const segmentsOf = (value: PublishedProfile | null): number[] | undefined => value?.memberships.map(({ segment }) => segment);

/** What is published of somebody just now, and of whom it says so. */
async function told(n: number): Promise<object> {
  const value = await published(n);
  return { profile: value?.profile, anchor: value?.anchor, segments: segmentsOf(value) };
}

test('everybody addressable is published with anchor and segments, also those in none', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await rig.segment('b', { attribute: { name: 'b' } }, 300);
  await putPeople(rig, [1, 2, 3]);
  await rig.warehouse.insert('identities', [
    { identifier: uuid(11), kind: 'email', profile: 1, anchor: uuid(1), version: 2 },
    { identifier: uuid(12), kind: 'cookie', profile: 1, anchor: uuid(1), version: 2 },
    { identifier: uuid(13), kind: '', profile: 4, anchor: uuid(13), version: 2 },
    { identifier: uuid(14), kind: 'loyalty', profile: 5, anchor: uuid(14), version: 2 },
  ]);
  await putAttribute(rig, 'a', [1, 2], 1);
  await putAttribute(rig, 'b', [1], 1);
  for (const id of ['a', 'b']) await evaluate(rig, id);
  expect(await publish(rig)).toMatchObject({ full: true, profiles: 4, identifiers: 5 });
  expect(await told(1)).toEqual({ profile: 1, anchor: uuid(1), segments: [7, 300] });
  expect(await told(12)).toEqual({ profile: 1, anchor: uuid(1), segments: [7, 300] });
  expect(await told(2)).toEqual({ profile: 2, anchor: uuid(2), segments: [7] });
  expect(await told(3)).toEqual({ profile: 3, anchor: uuid(3), segments: [] });
  expect(await told(13)).toEqual({ profile: 4, anchor: uuid(13), segments: [] });
  expect(await published(11)).toBeNull();
  expect(await published(14)).toBeNull();
  expect(await rig.redis.ttl(profileKey(uuid(1)))).toBeGreaterThan(29 * 86_400);
});

test('later only those who changed are published; who left the last segment gets an empty list', async () => {
  await rig.segment('a', { attribute: { name: 'a', min: 1 } }, 7);
  await putPeople(rig, [1, 2, 3]);
  await putAttribute(rig, 'a', [1, 2], 1);
  await evaluate(rig, 'a');
  await publish(rig);
  rig.pass(HOUR);
  expect(await publish(rig)).toMatchObject({ full: false, profiles: 0, identifiers: 0 });
  await putAttribute(rig, 'a', [1], 0);
  await evaluate(rig, 'a');
  rig.pass(1);
  expect(await publish(rig)).toMatchObject({ full: false, profiles: 1, identifiers: 1 });
  expect(segmentsOf(await published(1))).toEqual([]);
  expect(segmentsOf(await published(2))).toEqual([7]);
});

test('each membership says since when it holds, and ends 21 days after its publication', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await rig.segment('b', { attribute: { name: 'b' } }, 9);
  await putPeople(rig, [1]);
  await putAttribute(rig, 'a', [1], 1);
  await evaluate(rig, 'a');
  const entered = hourOf(rig.now());
  rig.pass(5 * HOUR);
  await putAttribute(rig, 'b', [1], 1);
  await evaluate(rig, 'b');
  await publish(rig);
  const until = entered + 5 + 21 * 24;
  expect(await published(1)).toMatchObject({
    hour: entered + 5,
    consent: 0,
    memberships: [
      { segment: 7, since: entered, until },
      { segment: 9, since: entered + 5, until },
    ],
  });
  rig.pass(8 * 24 * HOUR);
  await publish(rig);
  expect((await published(1))?.memberships[0]).toEqual({ segment: 7, since: entered, until: until + 8 * 24 });
});

test('who goes into another profile is published as that one', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1, 2]);
  await putAttribute(rig, 'a', [1], 1);
  await evaluate(rig, 'a');
  await publish(rig);
  rig.pass(HOUR);
  await rig.warehouse.insert('identities', [{ identifier: uuid(2), kind: 'ifa', profile: 1, anchor: uuid(1), version: 9 }]);
  expect(await publish(rig)).toMatchObject({ full: false, profiles: 1, identifiers: 2 });
  expect(await told(2)).toEqual({ profile: 1, anchor: uuid(1), segments: [7] });
});

test('a segment that is deleted leaves the published lists', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1]);
  await putAttribute(rig, 'a', [1], 1);
  await evaluate(rig, 'a');
  await publish(rig);
  rig.pass(HOUR);
  await rig.things.remove('segment', 'a', { actor: 'test' });
  await retireDeleted(rig);
  await publish(rig);
  expect(segmentsOf(await published(1))).toEqual([]);
});

test('a publication that was cut off is done whole the next time', async () => {
  await putPeople(rig, [1, 2]);
  const stop = async (): Promise<void> => {
    throw new Error('stopping');
  };
  await expect(publish(rig, stop)).rejects.toThrow('stopping');
  expect(await publish(rig)).toMatchObject({ full: true, identifiers: 2 });
});

test('everybody is renewed well before their values expire', async () => {
  await putPeople(rig, [1]);
  await publish(rig);
  rig.pass(8 * 24 * HOUR);
  expect(await publish(rig)).toMatchObject({ full: true, identifiers: 1 });
});
