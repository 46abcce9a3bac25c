import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startIntake } from '../../dmp/ad-events/intake.ts';
import { NOBODY } from '../../dmp/ad-events/rows.ts';
import { erase } from '../../dmp/erasures/erase.ts';
import { BITMAPS, PLACES, PROFILE_TABLES, readSchema, TOMBSTONES } from '../../dmp/erasures/places.ts';
import type { Receipt } from '../../dmp/erasures/receipt.ts';
import { startImportWorker } from '../../dmp/imports/worker.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { AD_EVENT_STREAM, capsKey, profileKey } from '../../proto/keys.ts';
import { decodeProfile, OPTED_OUT } from '../../proto/profile.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { type Segmenter, startSegmenter } from '../../segmenter/schedule.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let segmenter: Segmenter;
let imports: { close(): Promise<void> };
const at = '2026-11-01T10:00:00Z';
const ann = { kind: 'email', value: 'ann@example.org' };
const annPhone = { kind: 'ifa', value: '11111111-2222-4333-8444-555555555555' };
const bob = { kind: 'email', value: 'bob@example.org' };
const bobPhone = { kind: 'ifa', value: '99999999-2222-4333-8444-555555555555' };
const home = { kind: 'ip', value: '93.184.216.34' };
const keyOf = (identifier: { kind: string; value: string }) => keyIdentifier(identifier as never, api.deps.pepper, '') as string;

const eventsOf = (who: object, device: object, name: string) => [
  { type: 'identify', at, identifiers: [who, device, home], attributes: { tier: 'gold' } },
  { type: 'purchase', id: `r-${name}`, at, identifiers: [who], lines: [{ amountMicros: 1_000_000, product: 'tea' }] },
  { type: 'ping', at, identifiers: [device], lat: 55.75, lon: 37.6 },
  { type: 'page', at, identifiers: [device], url: 'https://shop.example/' },
  { type: 'redemption', at, identifiers: [who], coupon: 'c1' },
  { type: 'action', at, identifiers: [who], name: 'opened' },
  { type: 'page', at: 'never', identifiers: [who], url: 'https://shop.example/' },
];

const adEvent = (bid: string, who: object, type = 'impression') => ({
  ...{ type, bid, bidAt: Date.parse(at), at: Date.parse(at), exchange: 'ex', auction: 'a', imp: '1', advertiser: 'adv' },
  ...{ campaign: 'cmp', lineItem: 'li', creative: 'cr', store: '', identifier: keyOf(who as never), anchor: keyOf(who as never) },
  ...{ price: 1, clearing: 1, cost: 7, lossReason: null, minToWin: null, metres: null, test: false },
});
const adRow = (bid: string, who: { kind: string; value: string }) => ({
  ...{ type: 'impression', bid, bid_at: at, at, exchange: 'ex', auction: 'a', imp: '1', advertiser: 'adv', campaign: 'cmp' },
  ...{ line_item: 'li', creative: 'cr', store: '', identifier: keyOf(who), anchor: keyOf(who), price: 1, clearing: 1, cost: 7 },
  ...{ loss_reason: null, min_to_win: null, metres: null, test: 0, detail: '', consent: '0123456789abcdef' },
});

const send = (...events: object[]) => api.ok<{ accepted: number; quarantined: number }>('POST', '/v1/events?source=shop', events);
const ended = async (id: string): Promise<Record<string, unknown>> => {
  for (let turn = 0; turn < 1200; turn++) {
    const job = await api.ok('GET', `/v1/jobs/${id}`);
    if (job['state'] === 'succeeded') return job;
    if (job['state'] === 'failed') throw new Error(String(job['error']));
    await sleep(50);
  }
  throw new Error('it has not ended');
};
const refresh = async () => ended((await api.ok<{ id: string }>('POST', '/v1/refresh')).id);
const count = async (table: string, where: string) =>
  Number(
    (await api.deps.warehouse.query<{ n: string }>({ sql: `SELECT count() AS n FROM ${table} FINAL WHERE ${where}` }))[0]?.n,
  );

const profileOf = async (who: { kind: string; value: string }) => {
  const sql = `SELECT profile FROM identities FINAL WHERE identifier = '${keyOf(who)}'`;
  return Number((await api.deps.warehouse.query<{ profile: number }>({ sql }))[0]?.profile);
};

/**
 * As the segmenter keeps them: facts by person, touches, and sets of members with somebody else in them, of a segment that nothing
 * evaluates: planted among real sets it would hide one of these, or be hidden by it.
 */
async function addFacts(profile: number): Promise<void> {
  const { warehouse } = api.deps;
  await warehouse.command({
    sql: `INSERT INTO facts (shard, profile, device, household, kind, at, id, revision) VALUES (1, ${profile}, 0, ${profile}, 'person', now(), 1, 1)`,
  });
  await warehouse.command({ sql: `INSERT INTO touches (shard, profile, fold) VALUES (1, ${profile}, 1)` });
  await warehouse.command({
    sql: `INSERT INTO segment_members SELECT 'planted', ${profile}, 1, groupBitmapState(toUInt32(arrayJoin([${profile}, 999999]))), now()`,
  });
}

const NEVER_CLOSED = 'x,"never closed';

/** A file that stays to be resumed, since its import was cancelled before it began; or since it fails at its end, `worker` running. */
async function sendFile(row: string, end: 'cancelled' | 'broken'): Promise<string> {
  const { id } = await api.ok<{ id: string }>('POST', '/v1/imports', {
    ...{ type: 'redemption', format: 'csv', source: 'shop', validateOnly: true },
    mapping: {
      columns: { coupon: 'coupon', at: { constant: 'now' } },
      identifiers: [{ kind: 'email', column: 'who' }],
    },
  });
  const sent = await api.call(
    'PUT',
    `/v1/imports/${id}/file`,
    `who,coupon\n${row}${end === 'broken' ? `\n${NEVER_CLOSED}` : ''}`,
    {
      headers: { 'content-type': 'text/csv' },
    },
  );
  const job = sent.json().id as string;
  if (end === 'cancelled') await api.ok('DELETE', `/v1/jobs/${job}`);
  for (let turn = 0; turn < 1200; turn++) {
    if ((await api.ok('GET', `/v1/jobs/${job}`))['state'] === (end === 'broken' ? 'failed' : 'cancelled')) return id;
    await sleep(50);
  }
  throw new Error(`the import is not ${end}`);
}

const files = async () => (await readdir(api.deps.uploads)).filter((name) => /^imp_[0-9a-f]+\.[0-9a-f]+$/.test(name));

beforeAll(async () => {
  api = await startApi();
  segmenter = await startSegmenter(api.deps, { refreshSeconds: null });
  await api.ok('PUT', '/v1/advertisers/adv', { name: 'A', domains: ['a.example'] });
  await api.ok('PUT', '/v1/sources/shop', { name: 'Shop', party: '1p' });
  await api.ok('PUT', '/v1/segments/buyers', { name: 'Buyers', rule: { purchases: {} }, minimumSize: 1 });
  // Bidders know the members of segments that a live line item needs.
  const flight = { start: '2020-01-01T00:00:00Z', end: '2100-01-01T00:00:00Z' };
  const live = { name: 'live', status: 'active' };
  await api.deps.things.put('campaign', 'live', { advertiser: 'adv', ...live, ...flight } as never, { actor: 'test' });
  const lineItem = { campaign: 'live', ...live, targeting: { segments: [['buyers']] } };
  await api.deps.things.put('line-item', 'live', lineItem as never, { actor: 'test' });
  await send(...eventsOf(ann, annPhone, 'ann'), ...eventsOf(bob, bobPhone, 'bob'));
  for (const identifier of [ann, bob])
    await api.ok('POST', '/v1/consents', {
      ...{ identifiers: [identifier], purposes: ['profiles'], status: 'granted' },
      proof: { document: 'form' },
    });
  await api.deps.warehouse.insert('ad_events', [adRow('b1', annPhone), adRow('b2', bobPhone)]);
  await api.deps.redis.xadd(AD_EVENT_STREAM, '*', 'e', JSON.stringify(adEvent('b3', annPhone)));
  await api.deps.redis.xadd(AD_EVENT_STREAM, '*', 'e', JSON.stringify(adEvent('b4', bobPhone)));
  for (const who of [annPhone, bobPhone]) await api.deps.redis.hset(capsKey(keyOf(who)), 'li:1:1', 3);
  await refresh();
  for (const who of [ann, bob]) await addFacts(await profileOf(who));
  // Bob's telephone was Ann's once; the row that says so is not merged away yet.
  const once = { identifier: keyOf(bobPhone), kind: 'ifa', profile: await profileOf(ann), anchor: keyOf(bobPhone), version: 0 };
  await api.deps.warehouse.insert('identities', [once]);
  await sendFile(`${ann.value},r-file`, 'cancelled');
  await sendFile(`${bob.value},r-file`, 'cancelled');
  imports = startImportWorker(api.deps);
  // Behind the quote that never closes anybody may be named.
  await sendFile(`${bob.value},r-broken`, 'broken');
  await api.ok('POST', '/v1/consents:find', { identifier: ann });
  await api.ok('POST', '/v1/profiles:find', { identifier: ann });
}, 60_000);
afterAll(async () => {
  await segmenter.close();
  await imports.close();
  await api.stop();
});

test('every table with keys is emptied by an erasure: who adds one says so in PLACES', async () => {
  const schema = (await readSchema(api.deps.warehouse)).filter(({ keys }) => keys.length > 0);
  const covered = [...PLACES.map(({ table, keys }) => [table, keys]), ...TOMBSTONES.map((table) => [table, ['identifier']])];
  expect(Object.fromEntries(schema.map(({ table, keys }) => [table, keys]))).toEqual(Object.fromEntries(covered));
  const withProfile = (await readSchema(api.deps.warehouse)).filter(({ hasProfile }) => hasProfile).map(({ table }) => table);
  expect(withProfile).toEqual(['erased', 'identities', ...PROFILE_TABLES].sort());
  const bitmaps = (await readSchema(api.deps.warehouse)).filter(({ bitmaps: columns }) => columns.length > 0);
  expect(bitmaps.map(({ table, bitmaps: columns }) => ({ table, columns }))).toEqual(BITMAPS);
});

test('it is told what would go, and nothing goes', async () => {
  const told = await api.ok<{ rows: Record<string, number> }>('POST', '/v1/erasures?validateOnly=true', { identifiers: [ann] });
  expect(told).toMatchObject({ profiles: 1, shared: 0 });
  expect(told.rows).toMatchObject({ purchases: 1, pings: 1, pages: 1, memberships: 1, quarantine: 1, ad_events: 1, stream: 1 });
  expect(await count('purchases', "receipt = 'r-ann'")).toBe(1);
  expect(await count('erased', '1')).toBe(0);
});

test('a person is erased from everything, the receipt proves it, and the other one is whole', async () => {
  const device = profileKey(keyOf(annPhone));
  expect(decodeProfile((await api.deps.redis.getBuffer(device)) as Buffer)?.memberships.length).toBe(1);
  const before = await bobs();
  const answer = await api.ok<{ id: string; job: string }>('POST', '/v1/erasures', { identifiers: [ann] });
  // At once: nobody bids, nothing is taken.
  expect(decodeProfile((await api.deps.redis.getBuffer(device)) as Buffer)?.consent).toBe(OPTED_OUT);
  expect(await send({ type: 'page', at, identifiers: [annPhone], url: 'https://x.example/' })).toMatchObject({ quarantined: 1 });
  await ended(answer.job);
  const { receipt } = await api.ok<{ receipt: Receipt }>('GET', `/v1/erasures/${answer.id}`);
  expect(receipt.erased).toMatchObject({
    ...{ purchases: 1, pings: 1, pages: 1, redemptions: 1, actions: 1, attributes: 1, consents: 1, ad_events: 1 },
    ...{ memberships: 1, quarantine: 1, audit_log: 2, stream: 1, 'redis caps': 1 },
  });
  expect(receipt.proof.found).toEqual([]);
  expect(receipt.proof.searched).toContain('purchases.identifier');
  expect(receipt.proof.searched).toContain('quarantine.original');
  expect(receipt.proof.searched).toEqual(expect.arrayContaining(['facts.identifier', 'segment_members.members', 'files']));
  // The row that was put there, and what refreshes made.
  expect(receipt.erased['touches']).toBeGreaterThanOrEqual(1);
  expect(receipt.erased['segment_members']).toBeGreaterThanOrEqual(1);
  expect(receipt.erased['files']).toBe(2);
  // The file that names the other one stays until it is mended or a day is over.
  expect(receipt.proof.files).toBe(1);
  expect(await files()).toHaveLength(1);
  expect(await readFile(join(api.deps.uploads, (await files())[0] as string), 'utf8')).toContain(bob.value);
  const members =
    "SELECT bitmapToArray(members) AS members FROM segment_members FINAL WHERE segment = 'planted' ORDER BY version";
  expect((await api.deps.warehouse.query<{ members: number[] }>({ sql: members })).map((row) => row.members.length)).toEqual([
    1, 2,
  ]);
  expect(JSON.stringify(receipt)).not.toContain(keyOf(ann));
  expect(await removed()).toEqual({ purchase: 1, ping: 1, page: 1, redemption: 1, action: 1, identify: 1 });
  // Money stays, without the person.
  expect(
    await count('ad_events', "bid = 'b1' AND cost = 7 AND toString(identifier) = '00000000-0000-0000-0000-000000000000'"),
  ).toBe(1);
  expect(await api.deps.redis.exists(capsKey(keyOf(annPhone)))).toBe(0);
  expect(decodeProfile((await api.deps.redis.getBuffer(device)) as Buffer)).toMatchObject({ consent: OPTED_OUT, profile: 0 });
  expect(await bobs()).toEqual(before);
}, 60_000);

async function removed(): Promise<Record<string, number>> {
  const sql = 'SELECT toString(kind) AS kind, sum(removed) AS n FROM arrivals GROUP BY kind HAVING n > 0';
  const rows = await api.deps.warehouse.query<{ kind: string; n: string }>({ sql });
  return Object.fromEntries(rows.map(({ kind, n }) => [kind, Number(n)]));
}

async function bobs() {
  const { warehouse, redis } = api.deps;
  const keys = [keyOf(bob), keyOf(bobPhone)].map((key) => `'${key}'`).join(', ');
  const rows: Record<string, number> = {};
  for (const { table, keys: columns } of PLACES)
    if (!/^(identity_scope|links|facts|facts_\w+|segment_facts)$/.test(table))
      rows[table] = await count(table, columns.map((column) => `${column} IN (${keys})`).join(' OR '));
  const members = await warehouse.query({
    sql: `SELECT count() AS n FROM memberships WHERE profile IN (SELECT profile FROM identities FINAL WHERE identifier IN (${keys}))`,
  });
  return {
    rows,
    members,
    caps: await redis.hgetall(capsKey(keyOf(bobPhone))),
    mark: await redis.exists(profileKey(keyOf(bobPhone))),
  };
}

test('who was erased does not come back with a refresh or the same data, only with a new word', async () => {
  expect(await send(...eventsOf(ann, annPhone, 'ann').slice(0, 6))).toMatchObject({ accepted: 0, quarantined: 6 });
  await refresh();
  expect(await count('identities', `identifier IN ('${keyOf(ann)}', '${keyOf(annPhone)}')`)).toBe(0);
  expect(await count('quarantine', `original LIKE '%${keyOf(ann)}%'`)).toBe(0);
  const again = await api.ok<{ id: string; job: string }>('POST', '/v1/erasures', { identifiers: [ann] });
  await ended(again.job);
  await api.ok('POST', '/v1/consents', {
    ...{ identifiers: [ann], purposes: ['storage'], status: 'granted' },
    proof: { document: 'form' },
  });
  expect(await send({ type: 'page', at, identifiers: [ann], url: 'https://x.example/' })).toMatchObject({ accepted: 1 });
}, 60_000);

test('a notice that comes late is booked without the person', async () => {
  const { redis } = api.deps;
  await redis.xadd(AD_EVENT_STREAM, '*', 'e', JSON.stringify(adEvent('b5', annPhone)));
  const match = { type: 'sync', exchange: 'ex', at: Date.parse(at), user: keyOf(annPhone), cookie: keyOf(home) };
  await redis.xadd(AD_EVENT_STREAM, '*', 'e', JSON.stringify(match));
  const intake = startIntake(api.deps);
  await intake.drained();
  await intake.close();
  for (const bid of ['b3', 'b5'])
    expect(
      await count('ad_events', `bid = '${bid}' AND type = 'impression' AND cost = 7 AND identifier = toUUID('${NOBODY}')`),
    ).toBe(1);
  expect(await count('ad_events', `identifier = '${keyOf(annPhone)}' OR anchor = '${keyOf(annPhone)}'`)).toBe(0);
  expect(await count('links', `node = '${keyOf(annPhone)}' OR neighbour = '${keyOf(annPhone)}'`)).toBe(0);
  expect(await count('ad_events', `bid = 'b4' AND type = 'impression' AND identifier = '${keyOf(bobPhone)}'`)).toBe(1);
});

test('cut off at any step it goes on where it was, and the receipt counts all', async () => {
  const { id } = await (async () => {
    await segmenter.close();
    return api.ok<{ id: string }>('POST', '/v1/erasures', { identifiers: [bobPhone] });
  })();
  const identity = createIdentity(api.deps);
  let receipt: Receipt | null = null;
  let runs = 0;
  for (let allowed = 1; receipt === null; allowed += 3) {
    let left = allowed;
    const checkpoint = async () => {
      if (left-- === 0) throw new Error('killed');
    };
    runs++;
    receipt = await erase(api.deps, () => identity.fold(), id, { progress: async () => undefined, checkpoint }).catch((error) => {
      expect(String(error)).toContain('killed');
      return null;
    });
  }
  expect(runs).toBeGreaterThan(3);
  expect(receipt?.erased).toMatchObject({
    purchases: 1,
    pings: 1,
    pages: 1,
    attributes: 1,
    ad_events: 3,
    consents: 1,
  });
  // Of every version that a refresh made.
  expect(receipt?.erased['memberships']).toBeGreaterThanOrEqual(1);
  expect(
    await erase(api.deps, () => identity.fold(), id, { progress: async () => undefined, checkpoint: async () => undefined }),
  ).toEqual(receipt);
  segmenter = await startSegmenter(api.deps, { refreshSeconds: null });
}, 60_000);

test('what is wrong is told: a network is no person, a bound key erases nobody', async () => {
  const network = await api.call('POST', '/v1/erasures', { identifiers: [home] });
  expect([network.statusCode, network.json().errors[0].pointer]).toEqual([422, '/identifiers/0/kind']);
  const { key } = await api.ok<{ key: string }>('POST', '/v1/api-keys', { name: 'A', advertiser: 'adv', role: 'data_owner' });
  expect((await api.call('POST', '/v1/erasures', { identifiers: [bob] }, { key })).statusCode).toBe(403);
  expect((await api.call('GET', '/v1/erasures/era_none')).statusCode).toBe(404);
});
