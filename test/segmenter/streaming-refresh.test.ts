import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Rule } from '../../dmp/segments/rule.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { profileKey } from '../../proto/keys.ts';
import { decodeProfile } from '../../proto/profile.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { createRefresh } from '../../segmenter/refresh.ts';
import { createVisits } from '../../segmenter/visits.ts';
import { startApi, type TestApi } from '../support/api.ts';

/** What events give as they arrive, and what the next refresh finds: the same people. */

let api: TestApi;
const BY = { actor: 'test' };
const HOUR = 3_600_000;
const PEOPLE = 60;
/** Beside them, those who walk by or into a store. */
const WALKERS = 30;
const EVERYBODY = [...Array.from({ length: PEOPLE }, (_, n) => n), ...Array.from({ length: WALKERS }, (_, n) => 1_000 + n)];
const RULES: readonly Rule[] = [
  { purchases: { stores: ['st_1'], window: { days: 1 } } },
  { purchases: { brands: ['A', 'B'], channel: 'store', count: { min: 2 }, last: { max: 0.5 } } },
  { purchases: { under: ['Food'] } },
  { pages: { urlContains: '/shop', count: { min: 2 }, window: { days: 1 } } },
  { actions: { names: ['app_opened'], last: { max: 0.25 } } },
  { any: [{ redemptions: { coupons: ['c1'] } }, { all: [{ actions: { values: ['yes'] } }, { pages: {} }] }] },
  { visits: { stores: ['st_1'], minDwellSeconds: 600, window: { days: 1 } } },
  { near: { stores: ['st_1'], metres: 400, hours: 6 } },
];

beforeAll(async () => {
  api = await startApi();
  const { things } = api.deps;
  const fence = { type: 'circle', radius: 75 };
  const store = { advertiser: 'adv', name: 's', address: '', lat: 55.75, lon: 37.61, timeZone: 'UTC', hours: null, fence };
  for (const id of ['st_1', 'st_2']) await things.put('store', id, { ...store, lat: id === 'st_1' ? 55.75 : 55.9 } as never, BY);
  const flight = { start: '2020-01-01T00:00:00Z', end: '2100-01-01T00:00:00Z' };
  await things.put('campaign', 'live', { advertiser: 'adv', name: 'live', status: 'active', ...flight } as never, BY);
  for (const [at, rule] of RULES.entries())
    await things.put('segment', `s${at + 1}`, { advertiser: null, name: 's', rule, number: at + 1, minimumSize: 1 } as never, BY);
  const targeting = { segments: [RULES.map((_, at) => `s${at + 1}`)] };
  await things.put('line-item', 'li', { campaign: 'live', name: 'li', status: 'active', targeting } as never, BY);
});
afterAll(() => api.stop());

async function refresh(): Promise<void> {
  const steps = { progress: async () => undefined, checkpoint: async () => undefined };
  const done = await createRefresh(api.deps, createIdentity(api.deps), createVisits(api.deps)).all(steps);
  expect(done.segments.failed).toEqual([]);
}

const ifaOf = (n: number): string => `0badcafe-0000-4000-8000-${String(n).padStart(12, '0')}`;

/** By person: the segments that were streamed to them and those that are published. */
async function told(): Promise<{ streamed: number[]; published: number[] }[]> {
  const keys = EVERYBODY.map((n) => profileKey(keyIdentifier({ kind: 'ifa', value: ifaOf(n) }, api.deps.pepper) as string));
  const values = await api.deps.redis.mgetBuffer(keys);
  return values.map((value) => {
    const profile = value == null ? null : decodeProfile(value);
    const numbersOf = (list: readonly { segment: number }[] = []): number[] => list.map(({ segment }) => segment).sort();
    return { streamed: numbersOf(profile?.streamed), published: numbersOf(profile?.memberships) };
  });
}

/** The same numbers each time. */
function draw(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

function drawEvent(below: (n: number) => number, index: number, now: number): object {
  const pick = <T>(...of: readonly T[]): T => of[below(of.length)] as T;
  const who = {
    at: now - Math.round((below(300) / 10) * HOUR) - 1_000,
    identifiers: [{ kind: 'ifa', value: ifaOf(below(PEOPLE)) }],
  };
  const line = { category: pick('Food/Milk', 'Foods', 'Food'), brand: pick('A', 'B', 'C'), amountMicros: 1_000_000 };
  switch (below(5)) {
    case 0:
      return {
        type: 'purchase',
        id: `r${index}`,
        ...(below(3) === 0 ? {} : { store: pick('st_1', 'st_2') }),
        lines: [line],
        ...who,
      };
    case 1:
      return { type: 'page', id: `p${index}`, url: pick('https://x.example/shop', 'https://x.example/'), ...who };
    case 2:
      return { type: 'action', id: `a${index}`, name: pick('app_opened', 'survey'), value: pick('yes', 'no'), ...who };
    case 3:
      return { type: 'redemption', id: `c${index}`, coupon: pick('c1', 'c2'), ...who };
    default:
      return { type: 'ping', lat: pick(55.7505, 55.9, 56.5), lon: 37.61, accuracy: 10, ...who };
  }
}

/** Pings of somebody on their way, in order: they stay at a place for some minutes or pass it, and go elsewhere or fall silent. */
function drawWalk(below: (n: number) => number, n: number, now: number): object[] {
  const who = { identifiers: [{ kind: 'ifa', value: ifaOf(n) }] };
  let at = now - (2 + below(20)) * HOUR;
  const lat = below(3) === 0 ? 55.9 : 55.75;
  const pings: object[] = [];
  for (let count = 1 + below(4); count > 0; count--, at += (2 + below(10)) * 60_000)
    pings.push({ type: 'ping', lat: lat + (1 + below(3)) / 10_000, lon: 37.6103, accuracy: 10, at, ...who });
  if (below(2) === 0) pings.push({ type: 'ping', lat: lat + 0.0503, lon: 37.6103, accuracy: 10, at, ...who });
  return pings;
}

test('of random events, what was streamed is what the next refresh publishes, and then it is published only', async () => {
  await refresh();
  const below = draw(7);
  const now = Date.now();
  const events = Array.from({ length: 400 }, (_, index) => drawEvent(below, index, now));
  for (let from = 0; from < events.length; from += 50)
    expect(await api.ok('POST', '/v1/events', events.slice(from, from + 50))).toMatchObject({ quarantined: 0 });
  const walks = EVERYBODY.slice(PEOPLE).map((n) => drawWalk(below, n, now));
  for (let step = 0; step < 5; step++)
    await api.ok(
      'POST',
      '/v1/events',
      walks.flatMap((walk) => walk.slice(step, step + 1)),
    );
  await settled();
  const before = await told();
  expect(before.filter(({ streamed }) => streamed.length > 0).length).toBeGreaterThan(PEOPLE / 2);
  const VISITED = RULES.length - 1;
  const visited = before.filter(({ streamed }) => streamed.includes(VISITED)).length;
  expect(visited).toBeGreaterThan(0);
  expect(visited).toBeLessThan(WALKERS);
  expect(before.every(({ published }) => published.length === 0)).toBe(true);
  await sleep(1_100);
  await refresh();
  const after = await told();
  // A last position is a matter of order; events that come late may have been streamed though a later one is elsewhere.
  const NEAR = RULES.length;
  const but = (numbers: readonly number[]): number[] => numbers.filter((number) => number !== NEAR);
  for (const [n, { streamed }] of before.entries()) expect(but(after[n]?.published ?? []), `person ${n}`).toEqual(but(streamed));
  expect(after.some(({ published }) => published.includes(NEAR))).toBe(true);
  for (const [n, { published }] of after.entries()) if (published.includes(NEAR)) expect(before[n]?.streamed).toContain(NEAR);
  expect(after.every(({ streamed }) => streamed.length === 0)).toBe(true);
}, 60_000);

/** Events are worked on in order, and those that are counted last: when the last of these is seen, all are done. */
async function settled(): Promise<void> {
  const last = { at: Date.now() - 1_000, identifiers: [{ kind: 'ifa', value: ifaOf(PEOPLE) }] };
  // Visits are looked for after all else, in the order in which their pings came.
  const ping = {
    type: 'ping',
    lat: 55.7503,
    lon: 37.6103,
    accuracy: 10,
    identifiers: [{ kind: 'ifa', value: ifaOf(PEOPLE + 1) }],
  };
  await api.ok(
    'POST',
    '/v1/events',
    [20, 10, 1].map((minutes) => ({ ...ping, at: Date.now() - minutes * 60_000 })),
  );
  await api.ok('POST', '/v1/events', [
    { type: 'action', id: 'last', name: 'survey', value: 'yes', ...last },
    { type: 'page', id: 'last', url: 'https://x.example/', ...last },
  ]);
  const streamedTo = async (n: number): Promise<number[]> => {
    const value = await api.deps.redis.getBuffer(
      profileKey(keyIdentifier({ kind: 'ifa', value: ifaOf(n) }, api.deps.pepper) as string),
    );
    return (value === null ? null : decodeProfile(value))?.streamed?.map(({ segment }) => segment) ?? [];
  };
  for (let tries = 0; tries < 1_000; tries++) {
    const isLast = (await streamedTo(PEOPLE)).length > 0;
    if (isLast && (await streamedTo(PEOPLE + 1)).includes(RULES.length - 1)) return;
    await sleep(25);
  }
  throw new Error('the last events were not streamed');
}
