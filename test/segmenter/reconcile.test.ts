import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { optOut } from '../../dmp/opt-out/opt-out.ts';
import { addMemberships } from '../../dmp/publication/values.ts';
import { profileKey } from '../../proto/keys.ts';
import { decodeProfile, encodeProfile, type PublishedProfile } from '../../proto/profile.ts';
import { publish } from '../../segmenter/publish.ts';
import { type Reconciled, reconcile } from '../../segmenter/reconcile.ts';
import { putMembers } from './members.ts';
import { putLineItem, putPeople, type Rig, startRig, uuid } from './rig.ts';

let rig: Rig;
const PEOPLE = Array.from({ length: 40 }, (_, n) => n + 1);
const SLICES = 4;

beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(async () => {
  await rig.reset();
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await rig.segment('b', { attribute: { name: 'b' } }, 300);
  await putPeople(rig, PEOPLE);
  await putMembers(rig, 'a', 1, { entered: PEOPLE });
  await putMembers(rig, 'b', 1, { entered: PEOPLE.filter((n) => n % 2 === 0) });
  await publish(rig);
});

const bytesOf = async (n: number): Promise<Buffer> => (await rig.redis.getBuffer(profileKey(uuid(n)))) as Buffer;
const valueAt = async (n: number): Promise<PublishedProfile> => decodeProfile(await bytesOf(n)) as PublishedProfile;

/** A whole round: what was compared and mended in all slices. */
async function round() {
  const all: Reconciled[] = [];
  for (let slice = 0; slice < SLICES; slice++) all.push((await reconcile(rig, SLICES)) as Reconciled);
  const sum = (of: (one: Reconciled) => number): number => all.reduce((total, one) => total + of(one), 0);
  return {
    compared: sum((one) => one.compared),
    missing: sum((one) => one.missing),
    altered: sum((one) => one.altered),
    extra: sum((one) => one.extra),
    drift: all.at(-1)?.drift,
    agree: all.every(({ checksums }) => checksums.warehouse === checksums.redis),
  };
}

const CLEAN = { compared: 40, missing: 0, altered: 0, extra: 0, drift: 0, agree: true };

test('what was published agrees, whatever was streamed, opted out or stopped being needed since', async () => {
  expect(await round()).toEqual(CLEAN);
  await addMemberships(rig.redis, [{ identifier: uuid(3), isNamed: true, segment: 9, until: 4_000_000_000 }], rig.now());
  await addMemberships(rig.redis, [{ identifier: uuid(99), isNamed: true, segment: 9, until: 4_000_000_000 }], rig.now());
  await optOut(rig, [uuid(4), uuid(98)]);
  await putLineItem(rig, 'of-b', ['b'], 'paused');
  expect(await round()).toEqual(CLEAN);
  expect((await valueAt(3)).streamed).toHaveLength(1);
});

test('exactly the values that were deleted, altered or set back are mended, and values of nobody go', async () => {
  const before = await Promise.all(PEOPLE.map(bytesOf));
  const old = await bytesOf(5);
  await putMembers(rig, 'a', 2, { left: [5] });
  await publish(rig);
  const sequenceOf = async (n: number): Promise<number | undefined> => (await valueAt(n)).sequence;
  const untouched = await sequenceOf(8);
  await rig.redis.del(profileKey(uuid(1)), profileKey(uuid(2)));
  await rig.redis.set(profileKey(uuid(3)), encodeProfile({ ...(await valueAt(3)), memberships: [] }));
  await rig.redis.set(profileKey(uuid(4)), Buffer.from('rubbish'));
  await rig.redis.set(profileKey(uuid(5)), old);
  await rig.redis.set(profileKey(uuid(6)), encodeProfile({ ...(await valueAt(6)), profile: 77, sequence: 2 ** 50 }));
  await rig.redis.set(profileKey(uuid(500)), encodeProfile({ ...(await valueAt(7)), profile: 500 }));
  await optOut(rig, [uuid(9)]);
  await rig.redis.set(profileKey(uuid(9)), before[8] as Buffer);
  expect(await round()).toEqual({ compared: 40, missing: 2, altered: 5, extra: 1, drift: 8 / 40, agree: false });
  expect((await valueAt(5)).memberships).toEqual([]);
  expect((await valueAt(9)).consent).toBe(1);
  expect(await rig.redis.ttl(profileKey(uuid(9)))).toBe(-1);
  for (const n of [1, 2, 3, 4, 6])
    expect((await valueAt(n)).memberships).toEqual(decodeProfile(before[n - 1] as Buffer)?.memberships);
  expect((await valueAt(6)).profile).toBe(6);
  expect(await rig.redis.exists(profileKey(uuid(500)))).toBe(0);
  expect(await sequenceOf(8)).toBe(untouched);
  expect(await round()).toEqual(CLEAN);
});

test('before anything is published there is nothing to mend', async () => {
  await rig.redis.flushall();
  expect(await reconcile(rig, SLICES)).toBeNull();
});
