import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { emptyTables } from '../../dmp/events/tables.ts';
import { optOut } from '../../dmp/opt-out/opt-out.ts';
import { countersKey, nextSequence, STREAMED_KEY } from '../../dmp/publication/values.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { createStream } from '../../dmp/streaming/stream.ts';
import { cellOf } from '../../proto/fence.ts';
import { type IdentifierKind, keyIdentifier } from '../../proto/identifier.ts';
import { profileKey } from '../../proto/keys.ts';
import { decodeProfile, type PublishedProfile } from '../../proto/profile.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { publish } from '../../segmenter/publish.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { putMembers } from './members.ts';

let api: TestApi;
let person = 0;
const BY = { actor: 'test' };
const DAY_S = 86_400;

beforeAll(async () => {
  api = await startApi();
  const { things } = api.deps;
  const flight = { start: '2020-01-01T00:00:00Z', end: '2100-01-01T00:00:00Z' };
  await things.put('campaign', 'live', { advertiser: 'adv', name: 'live', status: 'active', ...flight } as never, BY);
  const rules: Rule[] = [
    { purchases: { stores: ['st_1'], window: { days: 1 } } },
    { pages: { urlContains: '/shop', count: { min: 2 }, window: { days: 1 } } },
    { all: [{ purchases: { categories: ['MILK'] } }, { actions: { names: ['app_opened'], last: { max: 0.5 } } }] },
    { exposures: { clicks: { min: 1 }, campaigns: ['cmp_1'], window: { days: 2 } } },
    { near: { stores: ['st_near'], metres: 300, hours: 2 } } as Rule,
    { visits: { stores: ['st_near'], window: { days: 1 } } },
    { visits: { stores: ['st_near'], minDwellSeconds: 1_200, window: { days: 1 } } },
    { visits: { geofences: ['gf'], count: { min: 2 }, window: { days: 2 } } },
  ];
  const fence = { type: 'circle', radius: 75 };
  const store = { advertiser: 'adv', name: 'Near', address: '', lat: 55.75, lon: 37.61, timeZone: 'UTC', hours: null, fence };
  await things.put('store', 'st_near', store as never, BY);
  const round = { type: 'circle', lat: 55.8, lon: 37.7, radius: 100 };
  for (const [id, lat] of [
    ['gf', 55.8],
    ['gf_other', 55.85],
  ] as const)
    await things.put('geofence', id, { advertiser: 'adv', name: id, fence: { ...round, lat } } as never, BY);
  for (const [at, rule] of rules.entries())
    await things.put('segment', `s${at + 1}`, { advertiser: null, name: 's', rule, number: at + 1, minimumSize: 1 } as never, BY);
  const targeting = { segments: [rules.map((_, at) => `s${at + 1}`)] };
  await things.put('line-item', 'li', { campaign: 'live', name: 'li', status: 'active', targeting } as never, BY);
  for (const { number, id } of rules.map((_, at) => ({ number: at + 1, id: `s${at + 1}` })))
    await putMembers(api.deps, id, number, {});
  await refresh([]);
});
afterAll(() => api.stop());

/** Folds who is who and publishes, as an evaluation of these segments would leave it. */
async function refresh(segments: readonly string[]): Promise<void> {
  const upTo = await nextSequence(api.deps.redis);
  await createIdentity(api.deps).fold();
  await publish(api.deps, undefined, { upTo, segments });
}

const ALL = ['s1', 's2', 's3', 's4', 's5', 's6', 's7', 's8'];

function keyOf(kind: IdentifierKind, value: string): string {
  return keyIdentifier({ kind, value }, api.deps.pepper) as string;
}

const ifaOf = (n: number): string => `0badcafe-0000-4000-8000-${String(n).padStart(12, '0')}`;
const keyOfIfa = (n: number): string => keyOf('ifa', ifaOf(n));

async function valueAt(key: string): Promise<PublishedProfile | null> {
  const value = await api.deps.redis.getBuffer(profileKey(key));
  return value === null ? null : decodeProfile(value);
}

const streamedTo = async (key: string): Promise<number[]> => ((await valueAt(key))?.streamed ?? []).map(({ segment }) => segment);

async function eventually<T>(look: () => Promise<T>, wanted: T): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (JSON.stringify(await look()) === JSON.stringify(wanted)) return;
    await sleep(25);
  }
  expect(await look()).toEqual(wanted);
}

async function post(...events: object[]): Promise<void> {
  expect(await api.ok('POST', '/v1/events', events)).toMatchObject({ accepted: events.length });
}

const ofIfa = (n: number) => ({ at: Date.now(), identifiers: [{ kind: 'ifa', value: ifaOf(n) }] });
let receipt = 0;
const bought = (who: object, store = 'st_1', category = 'BREAD') => ({
  ...{ type: 'purchase', id: `r${receipt++}`, store, lines: [{ category, amountMicros: 1_000_000 }] },
  ...who,
});

/** Whom a refresh has published already. */
async function knownPerson(): Promise<number> {
  const n = ++person;
  const named = [
    { kind: 'ifa', value: ifaOf(n) },
    { kind: 'cookie', value: `cookie-of-${n}` },
    { kind: 'loyalty', value: `card-of-${n}` },
  ];
  await post({ type: 'identify', at: Date.now(), identifiers: named });
  await refresh([]);
  expect(await valueAt(keyOfIfa(n))).toMatchObject({ memberships: [] });
  return n;
}

test('who just bought is in the segment under all of their identifiers, until the window ends', async () => {
  const n = await knownPerson();
  const before = await valueAt(keyOfIfa(n));
  const at = Date.now() - 3_600_000;
  await post(bought({ at, identifiers: [{ kind: 'loyalty', value: `card-of-${n}` }] }));
  await eventually(() => streamedTo(keyOfIfa(n)), [1]);
  await eventually(() => streamedTo(keyOf('cookie', `cookie-of-${n}`)), [1]);
  const value = await valueAt(keyOfIfa(n));
  expect(value?.streamed?.[0]?.until).toBe(Math.floor(at / 1000) + DAY_S);
  expect(value).toMatchObject({ profile: before?.profile, sequence: before?.sequence, anchor: before?.anchor });
  expect(await api.deps.redis.ttl(profileKey(keyOfIfa(n)))).toBeGreaterThan(29 * DAY_S);
});

test('an event at another store, one that is too old and one from a source that may not be used change nothing', async () => {
  const n = await knownPerson();
  const source = { name: 'closed', party: '2p', purposes: ['measurement'] };
  const made = await api.call('PUT', '/v1/sources/closed', source);
  expect(made.statusCode).toBe(201);
  await post(bought(ofIfa(n), 'st_2'), bought({ ...ofIfa(n), at: Date.now() - 2 * 86_400_000 }));
  await api.ok('POST', '/v1/events?source=closed', [bought(ofIfa(n))]);
  // One that counts comes last, so that the others have been looked at.
  const other = ++person;
  await post(bought(ofIfa(other)));
  await eventually(() => streamedTo(keyOfIfa(other)), [1]);
  expect(await streamedTo(keyOfIfa(n))).toEqual([]);
});

test('who is not known yet gets a value that ends with the membership, and the next refresh agrees', async () => {
  const n = ++person;
  await post(bought(ofIfa(n)));
  await eventually(() => streamedTo(keyOfIfa(n)), [1]);
  expect(await valueAt(keyOfIfa(n))).toMatchObject({ profile: 0, anchor: keyOfIfa(n), memberships: [] });
  expect(await api.deps.redis.ttl(profileKey(keyOfIfa(n)))).toBeLessThanOrEqual(DAY_S);
  await createIdentity(api.deps).fold();
  // A publication that does not know of the event keeps what was streamed.
  await publish(api.deps);
  const known = await valueAt(keyOfIfa(n));
  expect(known?.profile).toBeGreaterThan(0);
  expect(known?.streamed).toHaveLength(1);
  await sleep(1_100);
  await putMembers(api.deps, 's1', 100 + n, { entered: [known?.profile as number] });
  await refresh(ALL);
  expect(await valueAt(keyOfIfa(n))).toMatchObject({ memberships: [{ segment: 1 }] });
  expect((await valueAt(keyOfIfa(n)))?.streamed).toBeUndefined();
});

test('what an evaluation does not find is taken back by its publication, though nothing of the person changed', async () => {
  const n = await knownPerson();
  await post(bought(ofIfa(n)));
  await eventually(() => streamedTo(keyOfIfa(n)), [1]);
  await sleep(1_100);
  await refresh(['s2']);
  expect(await streamedTo(keyOfIfa(n))).toEqual([1]);
  await refresh(ALL);
  expect(await streamedTo(keyOfIfa(n))).toEqual([]);
  expect(await api.deps.redis.zscore(STREAMED_KEY, keyOfIfa(n))).toBeNull();
});

test('two different pages within a day count, the same one sent twice does not', async () => {
  const n = await knownPerson();
  const page = (id: string) => ({ type: 'page', id, url: 'https://x.example/shop', ...ofIfa(n), at: Date.now() - 60_000 });
  const first = page('one');
  await post(first);
  await post(first);
  const other = ++person;
  await post(bought(ofIfa(other)));
  await eventually(() => streamedTo(keyOfIfa(other)), [1]);
  expect(await streamedTo(keyOfIfa(n))).toEqual([]);
  await post(page('two'));
  await eventually(() => streamedTo(keyOfIfa(n)), [2]);
});

test('all of several events: each is remembered until the others come, under any identifier of the person', async () => {
  const n = await knownPerson();
  await post(bought({ at: Date.now(), identifiers: [{ kind: 'loyalty', value: `card-of-${n}` }] }, 'st_9', 'MILK'));
  await post({ type: 'action', name: 'app_opened', at: Date.now(), identifiers: [{ kind: 'cookie', value: `cookie-of-${n}` }] });
  await eventually(() => streamedTo(keyOfIfa(n)), [3]);
  const until = (await valueAt(keyOfIfa(n)))?.streamed?.[0]?.until as number;
  expect(until).toBeLessThanOrEqual(Date.now() / 1000 + DAY_S / 2);
});

test('who is near a store now is in until the hours are over; who is elsewhere, or where is not clear, is not', async () => {
  const [here, elsewhere, vague] = [++person, ++person, ++person];
  const ping = { type: 'ping', lat: 55.7505, lon: 37.6105, accuracy: 10 };
  await post(
    { ...ping, ...ofIfa(elsewhere), lat: 55.9 },
    { ...ping, ...ofIfa(vague), accuracy: 3_000 },
    { ...ping, ...ofIfa(here), at: Date.now() - 3_600_000 },
  );
  await eventually(() => streamedTo(keyOfIfa(here)), [5]);
  const until = (await valueAt(keyOfIfa(here)))?.streamed?.[0]?.until as number;
  expect(Math.abs(until - (Date.now() / 1000 + 3_600))).toBeLessThan(60);
  for (const n of [elsewhere, vague]) expect(await streamedTo(keyOfIfa(n))).toEqual([]);
});

const MINUTE = 60_000;
const pingOf = (n: number, minutesAgo: number, lat = 55.7502, lon = 37.6102) => ({
  ...{ type: 'ping', accuracy: 10, lat, lon },
  ...{ at: Date.now() - minutesAgo * MINUTE, identifiers: [{ kind: 'ifa', value: ifaOf(n) }] },
});

/** What was posted before has been looked at for visits when this one, which comes after it, is told. */
async function looked(): Promise<void> {
  const other = ++person;
  await post(pingOf(other, 7), pingOf(other, 1));
  await eventually(() => streamedTo(keyOfIfa(other)).then((all) => all.includes(6)), true);
}

test('who has just visited a store is in as soon as a ping makes the stay long enough, until the window ends', async () => {
  const [shopper, passer] = [await knownPerson(), ++person];
  await post(pingOf(shopper, 8), pingOf(passer, 8), pingOf(passer, 7, 55.76));
  await looked();
  const visits = async (n: number): Promise<number[]> => (await streamedTo(keyOfIfa(n))).filter((one) => one > 5).sort();
  expect(await visits(shopper)).toEqual([]);
  const start = Date.now() - 8 * MINUTE;
  await post(pingOf(shopper, 3));
  await eventually(() => visits(shopper), [6]);
  await eventually(async () => (await streamedTo(keyOf('cookie', `cookie-of-${shopper}`))).includes(6), true);
  const until = (await valueAt(keyOfIfa(shopper)))?.streamed?.find(({ segment }) => segment === 6)?.until as number;
  expect(Math.abs(until - (start / 1000 + DAY_S))).toBeLessThan(60);
  expect(await visits(passer)).toEqual([]);
});

test('the ping elsewhere that ends a stay makes the visit, in another process too', async () => {
  const n = ++person;
  await post(pingOf(n, 12));
  await looked();
  expect((await streamedTo(keyOfIfa(n))).includes(6)).toBe(false);
  const at = new Date(Date.now() - 2 * MINUTE).toISOString();
  const row = {
    source: 'api',
    identifier: keyOfIfa(n),
    at,
    lat: 55.76,
    lon: 37.61,
    error: 10,
    class: 'high',
    cell: String(BigInt(`0x${cellOf(55.76, 37.61)}`)),
  };
  await api.deps.warehouse.insert('pings', [{ ...row, ingested: at }]);
  const other = createStream(api.deps);
  other.take({ ...emptyTables(), pings: [row] });
  await other.drained();
  expect((await streamedTo(keyOfIfa(n))).includes(6)).toBe(true);
});

test('a visit counts once a place and day however many pings make it, and grows until it is as long as is asked', async () => {
  const n = ++person;
  const there = (minutesAgo: number) => pingOf(n, minutesAgo, 55.8, 37.7);
  await post(pingOf(n, 130), pingOf(n, 120), there(60), there(55), there(50));
  await looked();
  const visits = async (): Promise<number[]> => (await streamedTo(keyOfIfa(n))).filter((one) => one > 5).sort();
  expect(await visits()).toEqual([6]);
  await post(pingOf(n, 118), pingOf(n, 112));
  await looked();
  await post(there(45), there(40));
  await looked();
  expect(await visits()).toEqual([6]);
  await post(pingOf(n, 103));
  await eventually(visits, [6, 7]);
});

test('a click that the bidder booked is streamed too', async () => {
  const n = ++person;
  const stream = createStream(api.deps);
  const row = { type: 'click', campaign: 'cmp_1', line_item: 'li', bid: 'b1', detail: '', test: 0, identifier: keyOfIfa(n) };
  const at = new Date().toISOString();
  const edge = { a: keyOfIfa(n), b: keyOfIfa(n), kind_a: '', kind_b: '', source: 'ad-events', first_seen: at, confidence: 1 };
  stream.takeAds([{ ...row, at } as never, { ...row, at, campaign: 'other' } as never], [edge]);
  await stream.drained();
  expect(await streamedTo(keyOfIfa(n))).toEqual([4]);
});

test('to who opted out, or withdrew consent to profiles, nothing is added, and what was is gone at once', async () => {
  const [out, withdrawn] = [await knownPerson(), await knownPerson()];
  const page = { type: 'page', id: 'p', url: 'https://x.example/shop' };
  for (const n of [out, withdrawn]) await post(bought(ofIfa(n)), { ...page, ...ofIfa(n) });
  await eventually(() => streamedTo(keyOfIfa(withdrawn)), [1]);
  await optOut(api.deps, [keyOf('loyalty', `card-of-${out}`)]);
  const word = { identifiers: [{ kind: 'ifa', value: ifaOf(withdrawn) }], purposes: ['profiles'], status: 'withdrawn' };
  await api.ok('POST', '/v1/consents', { consents: [word] });
  for (const n of [out, withdrawn]) expect(await streamedTo(keyOfIfa(n))).toEqual([]);
  const anchor = (await valueAt(keyOfIfa(out)))?.anchor as string;
  expect(await api.deps.redis.exists(countersKey(anchor))).toBe(0);
  for (const n of [out, withdrawn]) await post(bought(ofIfa(n)));
  const other = ++person;
  await post(bought(ofIfa(other)));
  await eventually(() => streamedTo(keyOfIfa(other)), [1]);
  for (const n of [out, withdrawn]) expect(await streamedTo(keyOfIfa(n))).toEqual([]);
  // The next publications keep it so.
  await refresh(ALL);
  await post(bought(ofIfa(withdrawn)), bought(ofIfa(++person)));
  await eventually(() => streamedTo(keyOfIfa(person)), [1]);
  for (const n of [out, withdrawn]) expect(await streamedTo(keyOfIfa(n))).toEqual([]);
});

test('to a segment that is smaller than it must be nothing is added, until an evaluation finds enough people', async () => {
  const few = { advertiser: null, name: 'few', rule: { actions: { names: ['few'] } }, number: 20, minimumSize: 2 };
  await api.deps.things.put('segment', 'few', few as never, BY);
  const targeting = { segments: [['few']] };
  await api.deps.things.put('line-item', 'li-few', { campaign: 'live', name: 'li', status: 'active', targeting } as never, BY);
  const action = (n: number) => ({ type: 'action', name: 'few', id: `few-${n}`, ...ofIfa(n) });
  const n = ++person;
  await post(action(n), bought(ofIfa(n)));
  await eventually(() => streamedTo(keyOfIfa(n)), [1]);
  await putMembers(api.deps, 'few', 1, { entered: [1, 2] });
  const again = ++person;
  const streamed = async (): Promise<boolean> => {
    await post(action(again));
    return (await streamedTo(keyOfIfa(again))).includes(20);
  };
  await eventually(streamed, true);
  expect(await streamedTo(keyOfIfa(n))).toEqual([1]);
  await api.deps.things.remove('line-item', 'li-few', BY);
});

test('a Redis that lost everything makes nobody known before everybody is published again', async () => {
  const n = ++person;
  const state = await api.deps.redis.hgetall('walkin:segmenter:published');
  await api.deps.redis.del('walkin:segmenter:published');
  const stream = createStream(api.deps);
  const at = new Date().toISOString();
  const row = { type: 'click', campaign: 'cmp_1', line_item: 'li', bid: 'b1', detail: '', test: 0, identifier: keyOfIfa(n), at };
  stream.takeAds([row as never], []);
  await stream.drained();
  expect(await valueAt(keyOfIfa(n))).toBeNull();
  await api.deps.redis.hset('walkin:segmenter:published', state);
});
