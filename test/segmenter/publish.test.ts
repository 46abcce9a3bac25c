import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { optOut } from '../../dmp/opt-out/opt-out.ts';
import { publishedSegment } from '../../dmp/publication/status.ts';
import { profileKey } from '../../proto/keys.ts';
import { anchorIn, decodeProfile, hourOf, OPTED_OUT, type PublishedProfile, visitMemberships } from '../../proto/profile.ts';
import { startBackfill } from '../../segmenter/backfill.ts';
import { publish } from '../../segmenter/publish.ts';
import { putMembers } from './members.ts';
import { putLineItem, putPeople, type Rig, startRig, uuid } from './rig.ts';

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

/** Redis as a publisher meets it to whom something happens between its reading and its first writing. */
function holdUp({ redis }: Rig, happens: () => Promise<unknown>): Rig['redis'] {
  let isFirst = true;
  return new Proxy(redis, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      const call = typeof value === 'function' ? value.bind(target) : value;
      if (name !== 'walkin_put' || !isFirst) return call;
      isFirst = false;
      return async (...args: unknown[]) => {
        await happens();
        return call(...args);
      };
    },
  });
}

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
  await putMembers(rig, 'a', 1, { entered: [1, 2] });
  await putMembers(rig, 'b', 1, { entered: [1] });
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
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1, 2, 3]);
  await putMembers(rig, 'a', 1, { entered: [1, 2] });
  await publish(rig);
  rig.pass(HOUR);
  expect(await publish(rig)).toMatchObject({ full: false, profiles: 0, identifiers: 0 });
  await putMembers(rig, 'a', 2, { left: [1] });
  rig.pass(1);
  expect(await publish(rig)).toMatchObject({ full: false, profiles: 1, identifiers: 1 });
  expect(segmentsOf(await published(1))).toEqual([]);
  expect(segmentsOf(await published(2))).toEqual([7]);
});

test('each membership says since when it holds, and ends 72 hours after its publication', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await rig.segment('b', { attribute: { name: 'b' } }, 9);
  await putPeople(rig, [1]);
  await putMembers(rig, 'a', 1, { entered: [1] });
  const entered = hourOf(rig.now());
  rig.pass(5 * HOUR);
  await putMembers(rig, 'b', 1, { entered: [1] });
  await publish(rig);
  const until = entered + 5 + 72;
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

test('where the publisher stands still, nobody is in a segment after three days, and everybody keeps their anchor', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1]);
  await putMembers(rig, 'a', 1, { entered: [1] });
  await publish(rig);
  const value = (await rig.redis.getBuffer(profileKey(uuid(1)))) as Buffer;
  const heldAt = (at: number): number[] => {
    const found: number[] = [];
    expect(visitMemberships(value, hourOf(at), at, { take: (segment) => found.push(segment) })).toBe(true);
    return found;
  };
  expect(heldAt(rig.now())).toEqual([7]);
  expect(heldAt(rig.now() + 71 * HOUR)).toEqual([7]);
  expect(heldAt(rig.now() + 72 * HOUR)).toEqual([]);
  expect(anchorIn(value)).toBe(uuid(1));
});

test('a segment that has fewer people than it must have is not published, and one that shrank so far is taken back', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await rig.segment('b', { attribute: { name: 'b' } }, 9);
  const few = { advertiser: null, name: 'b', rule: { attribute: { name: 'b' } }, number: 9, minimumSize: 3 };
  await rig.things.put('segment', 'b', few as never, { actor: 'test' });
  await putPeople(rig, [1, 2, 3]);
  await putMembers(rig, 'a', 1, { entered: [1] });
  await putMembers(rig, 'b', 1, { entered: [1, 2] });
  expect(await publish(rig)).toMatchObject({ segments: 1 });
  expect([await told(1), await told(2)]).toMatchObject([{ segments: [7] }, { segments: [] }]);
  rig.pass(10);
  await putMembers(rig, 'b', 2, { entered: [1, 2, 3] });
  expect(await publish(rig)).toMatchObject({ segments: 2, profiles: 3 });
  expect([await told(1), await told(2)]).toMatchObject([{ segments: [7, 9] }, { segments: [9] }]);
  rig.pass(10);
  await putMembers(rig, 'b', 3, { left: [3] });
  await rig.warehouse.insert('segment_runs', [
    { segment: 'b', version: 3, revision: 1, started: new Date(rig.now() + 1).toISOString(), seconds: 0, members: 2 },
  ]);
  rig.pass(10);
  expect(await publish(rig)).toMatchObject({ segments: 1, profiles: 3 });
  expect([await told(1), await told(2)]).toMatchObject([{ segments: [7] }, { segments: [] }]);
  expect(await publishedSegment(rig.redis, 'b')).toBeNull();
  // By whom it is left out may be few, and may be known.
  const leaves = { campaign: 'live', name: 'leaves', status: 'active', targeting: { excludedSegments: ['b'] }, creatives: [] };
  await rig.things.put('line-item', 'leaves', leaves as never, { actor: 'test' });
  expect(await publish(rig)).toMatchObject({ segments: 2 });
  expect([await told(1), await told(2)]).toMatchObject([{ segments: [7, 9] }, { segments: [9] }]);
});

test('a segment that was found to be sensitive is taken back', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1]);
  await putMembers(rig, 'a', 1, { entered: [1] });
  await publish(rig);
  expect(await told(1)).toMatchObject({ segments: [7] });
  const sensitive = {
    advertiser: null,
    name: 'a',
    rule: { attribute: { name: 'a' } },
    number: 7,
    minimumSize: 1,
    sensitive: true,
  };
  await rig.things.put('segment', 'a', sensitive as never, { actor: 'test' });
  await publish(rig);
  expect(await told(1)).toMatchObject({ segments: [] });
});

test('who goes into another profile is published as that one', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1, 2]);
  await putMembers(rig, 'a', 1, { entered: [1] });
  await publish(rig);
  rig.pass(HOUR);
  await rig.warehouse.insert('identities', [{ identifier: uuid(2), kind: 'ifa', profile: 1, anchor: uuid(1), version: 9 }]);
  expect(await publish(rig)).toMatchObject({ full: false, profiles: 1, identifiers: 2 });
  expect(await told(2)).toEqual({ profile: 1, anchor: uuid(1), segments: [7] });
});

test('a segment that is deleted leaves the published lists', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1]);
  await putMembers(rig, 'a', 1, { entered: [1] });
  await publish(rig);
  rig.pass(HOUR);
  await rig.things.remove('segment', 'a', { actor: 'test' });
  await putMembers(rig, 'a', 2, { left: [1] });
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

test('in a day everybody has had their turn of being written anew, though nothing changed', async () => {
  const people = Array.from({ length: 100 }, (_, n) => n + 1);
  await putPeople(rig, people);
  await publish(rig);
  const first = hourOf(rig.now());
  const waiting = async (): Promise<number> => {
    const values = await rig.redis.mgetBuffer(people.map((n) => profileKey(uuid(n))));
    return values.filter((value) => decodeProfile(value as Buffer)?.hour === first).length;
  };
  let renewed = 0;
  for (let hour = 0; hour < 12; hour++) {
    rig.pass(HOUR);
    const { full, profiles } = await publish(rig);
    expect(full).toBe(false);
    expect(profiles).toBeLessThan(6);
    renewed += profiles;
  }
  expect(await waiting()).toBeGreaterThan(40);
  expect(await waiting()).toBeLessThan(60);
  for (let hour = 0; hour < 13; hour++) {
    rig.pass(HOUR);
    renewed += (await publish(rig)).profiles;
  }
  expect(await waiting()).toBe(0);
  expect(renewed).toBeGreaterThanOrEqual(100);
  expect(renewed).toBeLessThan(112);
});

test('only segments that a live line item needs are published; one that goes live is there for all of its members at once', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await rig.segment('b', { attribute: { name: 'b' } }, 9);
  await putPeople(rig, [1, 2]);
  await putMembers(rig, 'a', 1, { entered: [1] });
  await putMembers(rig, 'b', 1, { entered: [1, 2] });
  await putLineItem(rig, 'of-b', ['b'], 'paused');
  expect(await publish(rig)).toMatchObject({ segments: 1 });
  expect([await told(1), await told(2)]).toMatchObject([{ segments: [7] }, { segments: [] }]);
  await putLineItem(rig, 'of-b', ['b']);
  expect(await publish(rig)).toMatchObject({ full: false, profiles: 2 });
  expect([await told(1), await told(2)]).toMatchObject([{ segments: [7, 9] }, { segments: [9] }]);
  // Who comes back after a pause is back-filled too: members left meanwhile.
  await putLineItem(rig, 'of-b', ['b'], 'paused');
  await publish(rig);
  await putMembers(rig, 'b', 2, { left: [2] });
  await publish(rig);
  await putLineItem(rig, 'of-b', ['b']);
  await publish(rig);
  expect([await told(1), await told(2)]).toMatchObject([{ segments: [7, 9] }, { segments: [] }]);
});

test('of two publishers the one that read later wins, whichever writes last', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1, 2]);
  await putMembers(rig, 'a', 1, { entered: [1] });
  // It has read, and is held up before it writes.
  const late = holdUp(rig, async () => {
    await putMembers(rig, 'a', 2, { entered: [2], left: [1] });
    await publish(rig);
  });
  expect(await publish({ ...rig, redis: late })).toMatchObject({ identifiers: 0, late: 2 });
  expect([await told(1), await told(2)]).toMatchObject([{ segments: [] }, { segments: [7] }]);
});

test('a value whose sequence was never given out is damaged, and is replaced', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1]);
  await putMembers(rig, 'a', 1, { entered: [1] });
  await publish(rig);
  const value = (await rig.redis.getBuffer(profileKey(uuid(1)))) as Buffer;
  value.writeBigUInt64LE(2n ** 50n, 26);
  await rig.redis.set(profileKey(uuid(1)), value);
  await putMembers(rig, 'a', 2, { left: [1] });
  await publish(rig);
  expect(await told(1)).toMatchObject({ segments: [] });
});

test('Redis away in the middle of a publication: the next one completes it', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1, 2, 3]);
  await putMembers(rig, 'a', 1, { entered: [1, 2, 3] });
  const broken = holdUp(rig, async () => {
    throw new Error('Connection is closed.');
  });
  await expect(publish({ ...rig, redis: broken })).rejects.toThrow('Connection is closed');
  expect(await publish(rig)).toMatchObject({ full: true, identifiers: 3 });
  expect(await told(3)).toMatchObject({ segments: [7] });
});

test('a crash between evaluation and publication is repaired by the next run, and nobody is in twice', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1, 2]);
  await putMembers(rig, 'a', 1, { entered: [1] });
  await publish(rig);
  await putMembers(rig, 'a', 2, { entered: [2] });
  // The rows of a run that died before it was written down.
  await rig.warehouse.insert('memberships', [
    { segment: 'a', profile: 1, version: 3, status: -1, at: new Date(rig.now()).toISOString() },
  ]);
  await publish(rig);
  expect([await told(1), await told(2)]).toMatchObject([{ segments: [] }, { segments: [7] }]);
  await putMembers(rig, 'a', 4, { entered: [1] });
  await publish(rig);
  expect(await told(1)).toMatchObject({ segments: [7] });
});

test('who is split off again has the old profile back under their own identifiers after one refresh', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1, 2]);
  await putMembers(rig, 'a', 1, { entered: [1] });
  await publish(rig);
  await rig.warehouse.insert('identities', [{ identifier: uuid(2), kind: 'ifa', profile: 1, anchor: uuid(1), version: 9 }]);
  await publish(rig);
  expect(await told(2)).toEqual({ profile: 1, anchor: uuid(1), segments: [7] });
  await rig.warehouse.insert('identities', [{ identifier: uuid(2), kind: 'ifa', profile: 2, anchor: uuid(2), version: 10 }]);
  await publish(rig);
  expect(await told(2)).toEqual({ profile: 2, anchor: uuid(2), segments: [] });
  expect(await told(1)).toEqual({ profile: 1, anchor: uuid(1), segments: [7] });
});

test('a hot segment of everybody and many small ones are published alike, each person once', async () => {
  const people = Array.from({ length: 1_000 }, (_, n) => n + 1);
  await putPeople(rig, people);
  await rig.segment('everybody', { attribute: { name: 'a' } }, 1);
  await putMembers(rig, 'everybody', 1, { entered: people });
  for (let n = 0; n < 20; n++) {
    await rig.segment(`few-${n}`, { attribute: { name: 'a' } }, 100 + n);
    await putMembers(rig, `few-${n}`, 1, { entered: people.slice(n * 10, n * 10 + 10) });
  }
  expect(await publish(rig)).toMatchObject({ profiles: 1_000, identifiers: 1_000, segments: 21 });
  expect(await told(5)).toMatchObject({ segments: [1, 100] });
  expect(await told(999)).toMatchObject({ segments: [1] });
});

test('it is said of each segment what bidders have, and how old that was', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1]);
  await putMembers(rig, 'a', 3, { entered: [1] });
  rig.pass(2_000);
  expect((await publish(rig)).lags).toEqual([2]);
  expect(await publishedSegment(rig.redis, 'a')).toEqual({ at: rig.now(), version: 3, lag: 2 });
  expect((await publish(rig)).lags).toEqual([]);
  await putLineItem(rig, 'of-a', ['a'], 'paused');
  await publish(rig);
  expect(await publishedSegment(rig.redis, 'a')).toBeNull();
});

test('a line item that goes live has its segments at the bidders at once, without a refresh', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putLineItem(rig, 'of-a', ['a'], 'paused');
  await putPeople(rig, [1]);
  await putMembers(rig, 'a', 1, { entered: [1] });
  await publish(rig);
  const backfill = startBackfill(rig);
  await putLineItem(rig, 'of-a', ['a']);
  for (let tries = 0; tries < 400 && segmentsOf(await published(1))?.length !== 1; tries++) await sleep(25);
  expect(await told(1)).toMatchObject({ segments: [7] });
  await backfill.close();
});

test('a segment whose minimum is lowered is at the bidders at once', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  const body = { advertiser: null, name: 'a', rule: { attribute: { name: 'a' } }, number: 7 };
  await rig.things.put('segment', 'a', { ...body, minimumSize: 50 } as never, { actor: 'test' });
  await putPeople(rig, [1]);
  await putMembers(rig, 'a', 1, { entered: [1] });
  await publish(rig);
  expect(await told(1)).toMatchObject({ segments: [] });
  const backfill = startBackfill(rig);
  await rig.things.put('segment', 'a', { ...body, minimumSize: 1 } as never, { actor: 'test' });
  for (let tries = 0; tries < 400 && segmentsOf(await published(1))?.length !== 1; tries++) await sleep(25);
  expect(await told(1)).toMatchObject({ segments: [7] });
  await backfill.close();
});

test('an erasure while a publication writes is not written over', async () => {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putPeople(rig, [1, 2]);
  await putMembers(rig, 'a', 1, { entered: [1, 2] });
  await rig.warehouse.insert('identities', [{ identifier: uuid(3), kind: 'cookie', profile: 1, anchor: uuid(1), version: 2 }]);
  // As an erasure does: the person is marked, then taken out of who is who, then marked as somebody of no profile.
  const erasing = holdUp(rig, async () => {
    await optOut(rig, [uuid(1), uuid(3)]);
    await rig.warehouse.command({ sql: 'DELETE FROM identities WHERE profile = 1' });
    await optOut(rig, [uuid(1), uuid(3)]);
  });
  expect(await publish({ ...rig, redis: erasing })).toMatchObject({ identifiers: 1, late: 2 });
  for (const n of [1, 3]) expect(await published(n)).toMatchObject({ consent: OPTED_OUT, profile: 0, memberships: [] });
  await publish(rig);
  for (const n of [1, 3]) expect(await published(n)).toMatchObject({ consent: OPTED_OUT, profile: 0, memberships: [] });
  expect(await told(2)).toMatchObject({ segments: [7] });
});
