import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createBreaker } from '../../bidder/breaker.ts';
import { followChanged } from '../../bidder/changed.ts';
import type { Person } from '../../bidder/core/person.ts';
import { createMetrics, type Metrics } from '../../bidder/metrics.ts';
import { decodeRequest } from '../../bidder/openrtb/decode.ts';
import type { BidRequest } from '../../bidder/openrtb/request.ts';
import { createPersonCache } from '../../bidder/person-cache.ts';
import { permissionOf } from '../../bidder/privacy.ts';
import { createUsers, type Users } from '../../bidder/users.ts';
import { type Identifier, keyIdentifier } from '../../proto/identifier.ts';
import { ADDED_CHANNEL, capsKey, profileKey } from '../../proto/keys.ts';
import { pepperRing } from '../../proto/pepper.ts';
import { decodeProfile, OPTED_OUT } from '../../proto/profile.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { PEPPER } from './support/bidder.ts';
import { wireRequest } from './support/live.ts';
import { profileValue } from './support/person.ts';

let server: TestRedis;
let redis: Redis;
let metrics: Metrics;
const NOW = Date.now();
const A = '0b0e8c8e-1111-8111-8111-0123456789ab';
const B = '0b0e8c8e-2222-8222-8222-0123456789ab';

beforeAll(async () => {
  server = await startRedis();
  redis = server.connect();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await redis.flushall();
  metrics = createMetrics();
});

const key = (kind: Identifier['kind'], value: string): string => keyIdentifier({ kind, value }, PEPPER) as string;

function requestOf(device: object, user: object = {}): BidRequest {
  const request = decodeRequest(Buffer.from(JSON.stringify(wireRequest({ device: { ...device }, user }))));
  if (typeof request === 'string') throw new Error(request);
  return request;
}

async function read(users: Users, request: BidRequest, ms = 1_000): Promise<Person> {
  const permission = permissionOf(request);
  return users.read(request, { exchange: 'x', pepper: PEPPER, permission, now: NOW, deadline: performance.now() + ms });
}

function segmentsIn({ memberships }: Person): number[] {
  return memberships.flatMap((value) => decodeProfile(value)?.memberships.map(({ segment }) => segment) ?? []);
}

async function counted(name: 'profileCorrupt' | 'profileCache' | 'profileFailures', label?: string): Promise<number> {
  const { values } = await (metrics[name] as Metrics['profileFailures']).get();
  return values
    .filter(({ labels }) => label === undefined || Object.values(labels).includes(label))
    .reduce((sum, { value }) => sum + value, 0);
}

describe('a person', () => {
  it('is found under every pepper that is honoured, the oldest first: whom nobody knows stays under the old key', async () => {
    const pepper = pepperRing('a-newer-pepper-of-the-tests', PEPPER);
    const asking = { exchange: 'x', pepper, now: NOW, deadline: performance.now() + 5_000 };
    const newKey = keyIdentifier({ kind: 'ifa', value: 'tablet' }, pepper) as string;
    await redis.set(profileKey(key('ifa', 'phone')), profileValue([1], NOW, { anchor: A }));
    await redis.set(profileKey(newKey), profileValue([9], NOW, { anchor: B }));
    await redis.hset(capsKey(key('ifa', 'stranger')), 'li:1:1', 4);
    const users = createUsers(redis, metrics);
    const of = async (ifa: string) => {
      const request = requestOf({ ifa }, { buyeruid: 'ours', id: 'theirs' });
      return users.read(request, { ...asking, permission: permissionOf(request) });
    };
    expect(await of('phone')).toMatchObject({ state: 'known', identifier: key('ifa', 'phone'), anchor: A });
    expect(await of('tablet')).toMatchObject({ state: 'known', identifier: newKey, anchor: B });
    const unknown = await of('stranger');
    expect(unknown).toMatchObject({ state: 'unknown', identifier: key('ifa', 'stranger'), anchor: key('ifa', 'stranger') });
    expect([...unknown.caps]).toEqual([['li:1:1', 4]]);
  });

  it('is all of their identifiers: segments of every profile, caps of every anchor', async () => {
    await redis.set(profileKey(key('ifa', 'phone')), profileValue([1, 5], NOW, { anchor: A }));
    await redis.set(profileKey(key('cookie', 'ours')), profileValue([5, 9], NOW, { anchor: B }));
    await redis.hset(capsKey(A), 'li:1:1', 2, 'other:1:1', 1);
    await redis.hset(capsKey(B), 'li:1:1', 3);
    await redis.hset(capsKey(key('exchange', 'x:theirs')), 'li:1:1', 4);
    const person = await read(createUsers(redis, metrics), requestOf({ ifa: 'phone' }, { buyeruid: 'ours', id: 'theirs' }));
    expect(person).toMatchObject({ state: 'known', identifier: key('ifa', 'phone'), anchor: A });
    expect(segmentsIn(person)).toEqual([1, 5, 5, 9]);
    expect([...person.caps]).toEqual([
      ['li:1:1', 9],
      ['other:1:1', 1],
    ]);
  });

  it('whose identifiers lead to one profile has it once', async () => {
    for (const id of [key('ifa', 'phone'), key('cookie', 'ours')])
      await redis.set(profileKey(id), profileValue([1], NOW, { anchor: A }));
    await redis.hset(capsKey(A), 'li:1:1', 2);
    const person = await read(createUsers(redis, metrics), requestOf({ ifa: 'phone' }, { buyeruid: 'ours' }));
    expect(person.memberships).toHaveLength(1);
    expect([...person.caps]).toEqual([['li:1:1', 2]]);
  });

  it('whose value is corrupt is unknown, and that is counted', async () => {
    const value = profileValue([1, 300], NOW, { anchor: A });
    await redis.set(profileKey(key('ifa', 'phone')), value.subarray(0, -1));
    expect(await read(createUsers(redis, metrics), requestOf({ ifa: 'phone' }))).toMatchObject({
      state: 'unknown',
      memberships: [],
    });
    expect(await counted('profileCorrupt')).toBe(1);
  });

  it('who has opted out is withheld', async () => {
    await redis.set(profileKey(key('ifa', 'phone')), profileValue([1], NOW, { anchor: A, consent: OPTED_OUT }));
    expect(await read(createUsers(redis, metrics), requestOf({ ifa: 'phone' }))).toMatchObject({ state: 'withheld', anchor: '' });
  });

  it('is known without being read again for a second at most', async () => {
    const users = createUsers(redis, metrics, { cacheMs: 60 });
    const request = requestOf({ ifa: 'phone' });
    expect(await read(users, request)).toMatchObject({ state: 'unknown' });
    await redis.set(profileKey(key('ifa', 'phone')), profileValue([1], NOW, { anchor: A, consent: OPTED_OUT }));
    expect(
      users.read(request, { exchange: 'x', pepper: PEPPER, permission: permissionOf(request), now: NOW, deadline: 0 }),
    ).toMatchObject({ state: 'unknown' });
    expect([await counted('profileCache', 'hit'), await counted('profileCache', 'miss')]).toEqual([1, 1]);
    await new Promise((resolve) => setTimeout(resolve, 70));
    expect(await read(users, request)).toMatchObject({ state: 'withheld' });
  });

  it('is not mixed up with another, nor read in one request and told in another that may not know', async () => {
    const users = createUsers(redis, metrics);
    await redis.set(profileKey(key('ifa', 'phone')), profileValue([1], NOW, { anchor: A }));
    expect(await read(users, requestOf({ ifa: 'phone' }))).toMatchObject({ state: 'known' });
    expect(await read(users, requestOf({ ifa: 'other' }))).toMatchObject({ state: 'unknown' });
    expect(await read(users, requestOf({ ifa: 'phone', lmt: 1 }))).toMatchObject({ state: 'withheld' });
  });
});

it('a thousand requests of one moment are a few round trips, and none is turned away', async () => {
  const users = createUsers(redis, metrics);
  await redis.config('RESETSTAT');
  const people = await Promise.all(
    Array.from({ length: 1_000 }, async (_, n) => {
      await new Promise((resolve) => setTimeout(resolve, n % 10));
      return read(users, requestOf({ ifa: `phone-${n}` }), 15_000);
    }),
  );
  expect(people.filter(({ state }) => state !== 'unknown')).toEqual([]);
  expect(await counted('profileFailures')).toBe(0);
  const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1];
  expect(Number(calls)).toBeLessThan(100);
});

it('requests that come one by one share a round trip, as soon as eight are there', async () => {
  const users = createUsers(redis, metrics, { apartMs: 60_000 });
  await read(users, requestOf({ ifa: 'the first, who waits for nobody' }));
  await redis.config('RESETSTAT');
  const people: Promise<Person>[] = [];
  for (let n = 0; n < 8; n++) {
    people.push(read(users, requestOf({ ifa: `phone-${n}` }), 30_000));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await Promise.all(people)).every(({ state }) => state === 'unknown')).toBe(true);
  expect(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1]).toBe('1');
});

describe('while the store hangs', () => {
  const ALLOWED_MS = 100;
  let reader: Redis;

  // Time goes by as the test says, whatever else the machine does: what is asked is never answered.
  beforeEach(async () => {
    reader = server.connect();
    await reader.ping();
    server.freeze();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
    server.thaw();
    reader.disconnect();
  });

  /** Asks for so many at once; moments at which they are given up, ms from now. */
  async function ask(users: Users, count: number, name: string): Promise<number[]> {
    const since = performance.now();
    const given: number[] = [];
    for (let n = 0; n < count; n++)
      void read(users, requestOf({ ifa: `${name}-${n}` }), ALLOWED_MS).then(({ state }) => {
        expect(state).toBe('unread');
        given.push(performance.now() - since);
      });
    await vi.advanceTimersByTimeAsync(ALLOWED_MS);
    expect(given).toHaveLength(count);
    return given;
  }

  it('the more people wait the sooner they are given up, so that the last of them is answered in time too', async () => {
    const [alone] = await ask(createUsers(reader, metrics), 1, 'alone');
    expect(alone).toBeGreaterThan(0.8 * ALLOWED_MS);
    const many = await ask(createUsers(reader, metrics), 600, 'one of many');
    // Thirty milliseconds for 600 answers.
    expect(Math.max(...many)).toBeLessThanOrEqual((alone as number) - 25);
    expect(Math.min(...many)).toBeGreaterThan(0.5 * ALLOWED_MS);
  });

  it('a probe is one person, however many come at its moment: the others are told at once', async () => {
    const users = createUsers(reader, metrics);
    for (let failures = 0; failures < 5; failures++) await ask(users, 1, `failure ${failures}`);
    expect(await counted('profileFailures', 'timeout')).toBe(5);
    expect(Math.max(...(await ask(users, 20, 'while it is open')))).toBeLessThan(1);
    await vi.advanceTimersByTimeAsync(500);
    const [probe, ...others] = (await ask(users, 20, 'at the probe')).sort((a, b) => b - a);
    expect(probe).toBeGreaterThan(0.8 * ALLOWED_MS);
    expect(Math.max(...others)).toBeLessThan(1);
    expect(await counted('profileFailures', 'timeout')).toBe(6);
    expect(await counted('profileFailures', 'open')).toBe(39);
  });
});

describe('the memory of people', () => {
  it('forgets after its life, and never holds more than it may', () => {
    const cache = createPersonCache({ lifeMs: 100, most: 10 });
    const bytes = Buffer.from('<of p>');
    for (let now = 0; now < 1_000; now++) {
      cache.set(`p${now}`, `${now}`, bytes, 1, 5, now);
      expect(cache.size).toBeLessThanOrEqual(10);
      expect(cache.get(`p${now}`, now)?.toString()).toBe(`${now}of p`);
    }
    for (const setAt of [0, 40, 99]) {
      for (const looks of [[], [49, 99], [95]]) {
        const kept = createPersonCache({ lifeMs: 100, most: 10 });
        kept.set('p', 'h', bytes, 0, 6, setAt);
        expect(kept.get('p', setAt + 49)?.toString()).toBe('h<of p>');
        for (const look of looks) kept.get('p', setAt + look);
        expect(kept.get('p', setAt + 100)).toBeNull();
      }
    }
  });

  it('agrees with a Map, whatever the keys, also when they are long, alike, or kept again', () => {
    const cache = createPersonCache({ lifeMs: 1_000, most: 2_000 });
    const plain = new Map<string, string>();
    for (let turn = 0; turn < 3_000; turn++) {
      const number = (turn * 7_919) % 900;
      const key = `${'ключ '.repeat(number % 40)}\n${number}`;
      const value = `${turn}`.repeat(1 + (turn % 90));
      cache.set(key, 'h', Buffer.from(value), 0, value.length, 0);
      plain.set(key, `h${value}`);
      if (plain.size > 500) break;
    }
    for (const [key, value] of plain) expect(cache.get(key, 0)?.toString()).toBe(value);
    expect(cache.get('nobody', 0)).toBeNull();
    cache.set('x'.repeat(2_000), 'h', Buffer.alloc(4), 0, 4, 0);
    cache.set('large', 'h', Buffer.alloc(9_000), 0, 9_000, 0);
    expect([cache.get('x'.repeat(2_000), 0), cache.get('large', 0)]).toEqual([null, null]);
  });
});

describe('a circuit breaker', () => {
  const changes: string[] = [];
  const breaker = createBreaker({ failures: 3, openMs: 100, onChange: (state) => changes.push(state) });

  it('opens after failures in a row, tries one at a time, and closes when one succeeds', () => {
    breaker.failed(0);
    breaker.failed(1);
    breaker.succeeded();
    for (let at = 2; at < 5; at++) {
      expect(breaker.allows(at)).toBe(true);
      breaker.failed(at);
    }
    expect(breaker.state).toBe('open');
    expect(breaker.allows(50)).toBe(false);
    expect(breaker.allows(104)).toBe(true);
    expect(breaker.allows(105)).toBe(false);
    breaker.failed(106);
    expect(breaker.allows(150)).toBe(false);
    expect(breaker.allows(206)).toBe(true);
    breaker.succeeded();
    expect(breaker.allows(207)).toBe(true);
    expect(changes).toEqual(['open', 'half_open', 'open', 'half_open', 'closed']);
  });

  it('tries again where a probe was never heard of', () => {
    for (let at = 0; at < 3; at++) breaker.failed(1_000);
    expect(breaker.allows(1_100)).toBe(true);
    expect(breaker.allows(1_199)).toBe(false);
    expect(breaker.allows(1_200)).toBe(true);
  });

  it('whose value an event changed is read again at once, though known from a moment before', async () => {
    const [reader, listener] = [server.connect(), server.connect()];
    await reader.ping();
    const users = createUsers(reader, metrics, { cacheMs: 60_000, changed: followChanged(listener, 60_000) });
    const ifa = '0badcafe-0000-4000-8000-000000000001';
    const request = requestOf({ ifa });
    await redis.set(profileKey(key('ifa', ifa)), profileValue([7], NOW));
    expect(segmentsIn(await read(users, request))).toEqual([7]);
    await redis.set(profileKey(key('ifa', ifa)), profileValue([7, 9], NOW));
    expect(segmentsIn(await read(users, request))).toEqual([7]);
    // It listens when it is connected, and messages before are lost.
    for (let tries = 0; tries < 400 && (await redis.publish(ADDED_CHANNEL, key('ifa', ifa))) === 0; tries++) await sleep(25);
    for (let tries = 0; tries < 400 && segmentsIn(await read(users, request)).length < 2; tries++) await sleep(25);
    expect(segmentsIn(await read(users, request))).toEqual([7, 9]);
  });
});
