import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { optIn, optOut } from '../../dmp/opt-out/opt-out.ts';
import { profileKey } from '../../proto/keys.ts';
import { decodeProfile, OPTED_OUT } from '../../proto/profile.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { publish } from '../../segmenter/publish.ts';
import { putMembers } from './members.ts';
import { type Rig, startRig, uuid } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.reset());

async function putEdge(a: number, b: number, kindA: string, kindB: string): Promise<void> {
  rig.pass(1);
  const at = new Date(rig.now()).toISOString();
  const edge = { a: uuid(a), kind_a: kindA, b: uuid(b), kind_b: kindB, source: 's', first_seen: at, ingested: at };
  await rig.warehouse.insert('edges', [edge]);
}

async function refresh(): Promise<void> {
  await createIdentity(rig).fold();
  await publish(rig);
  rig.pass(1);
}

/** Segments that a bidder finds; 'out' is the mark. */
async function foundBy(n: number): Promise<readonly number[] | 'out' | null> {
  const value = await rig.redis.getBuffer(profileKey(uuid(n)));
  if (value === null) return null;
  const profile = decodeProfile(value);
  if (profile === null) return null;
  return profile.consent & OPTED_OUT ? 'out' : profile.memberships.map(({ segment }) => segment);
}

async function profilesOf(numbers: readonly number[]): Promise<number[]> {
  const sql = 'SELECT profile FROM identities FINAL WHERE identifier IN {keys:Array(UUID)}';
  const rows = await rig.warehouse.query<{ profile: number }>({ sql, params: { keys: numbers.map(uuid) } });
  return rows.map(({ profile }) => profile);
}

async function knownPeople(): Promise<void> {
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await putEdge(1, 2, 'ifa', 'email');
  await putEdge(2, 3, 'email', 'cookie');
  await putEdge(4, 4, 'ifa', 'ifa');
  await createIdentity(rig).fold();
  await putMembers(rig, 'a', 1, { entered: await profilesOf([1, 4]) });
  await refresh();
}

test('an opt-out by one identifier is an opt-out of all that the person has, at once', async () => {
  await knownPeople();
  expect([await foundBy(1), await foundBy(3), await foundBy(4)]).toEqual([[7], [7], [7]]);
  expect(await optOut(rig, [uuid(2)])).toEqual({ profiles: 1, identifiers: 3 });
  expect([await foundBy(1), await foundBy(2), await foundBy(3), await foundBy(4)]).toEqual(['out', 'out', 'out', [7]]);
  expect(await rig.redis.ttl(profileKey(uuid(1)))).toBe(-1);
});

test('a refresh, whole or not, keeps the mark', async () => {
  await knownPeople();
  await optOut(rig, [uuid(2)]);
  await putMembers(rig, 'a', 2, { entered: await profilesOf([1]) });
  await refresh();
  expect(await foundBy(1)).toBe('out');
  await rig.redis.flushall();
  await refresh();
  expect([await foundBy(1), await foundBy(3), await foundBy(4)]).toEqual(['out', 'out', [7]]);
});

test('an identifier that turns out to be the person’s later is opted out with the next refresh', async () => {
  await knownPeople();
  await optOut(rig, [uuid(2)]);
  await putEdge(4, 2, 'ifa', 'email');
  await refresh();
  expect(await foundBy(4)).toBe('out');
});

test('who is not known is marked too, and stays out when known', async () => {
  await optOut(rig, [uuid(9)]);
  expect(await foundBy(9)).toBe('out');
  await knownPeople();
  await putEdge(9, 9, 'ifa', 'ifa');
  await refresh();
  expect(await foundBy(9)).toBe('out');
});

test('an opt-out while a publication writes is not written over', async () => {
  await knownPeople();
  await putMembers(rig, 'a', 2, { entered: await profilesOf([1]) });
  let isFirst = true;
  const redis = new Proxy(rig.redis, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      const call = typeof value === 'function' ? value.bind(target) : value;
      if (name !== 'walkin_put' || !isFirst) return call;
      isFirst = false;
      return async (...args: unknown[]) => {
        await optOut(rig, [uuid(2)]);
        return call(...args);
      };
    },
  });
  await rig.redis.del('walkin:segmenter:published');
  await publish({ ...rig, redis });
  expect(await foundBy(1)).toBe('out');
});

test('who comes back is known again after the next refresh', async () => {
  await knownPeople();
  await optOut(rig, [uuid(2)]);
  await optIn(rig, [uuid(2)]);
  expect(await foundBy(1)).toBeNull();
  await refresh();
  expect([await foundBy(1), await foundBy(3)]).toEqual([[7], [7]]);
});
