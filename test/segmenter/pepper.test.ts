import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { identifiersOf } from '../../bidder/person-keys.ts';
import { startIntake } from '../../dmp/ad-events/intake.ts';
import { NOBODY } from '../../dmp/ad-events/rows.ts';
import { KEY_PATTERN, readSchema } from '../../dmp/erasures/places.ts';
import { bucketOf } from '../../proto/bucket.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { AD_EVENT_STREAM, capsKey, profileKey } from '../../proto/keys.ts';
import { pepperRing } from '../../proto/pepper.ts';
import { decodeProfile, OPTED_OUT } from '../../proto/profile.ts';
import { type Segmenter, startSegmenter } from '../../segmenter/schedule.ts';
import { type TenantAct, tenantPepper } from '../../supervisor/tenant-pepper.ts';
import { ADMIN_KEY, startApi, type TestApi } from '../support/api.ts';
import { putLineItem } from './rig.ts';

const OLD = 'the-pepper-of-the-first-year';
const NEW = 'the-pepper-of-the-second-year';
const at = '2026-11-01T10:00:00Z';
const ifa = (n: number) => ({ kind: 'ifa', value: `11111111-2222-4333-8444-${String(n).padStart(12, '0')}` });
const mail = (name: string) => ({ kind: 'email', value: `${name}@example.org` });
const keyOf = (identifier: { kind: string; value: string }, pepper: string) =>
  keyIdentifier(identifier as never, pepper) as string;

let api: TestApi;
let segmenter: Segmenter;
const setPepper = (pepper: string) => Object.assign(api.deps, { pepper });
const rows = <Row>(sql: string) => api.deps.warehouse.query<Row>({ sql });
const ended = async (id: string): Promise<void> => {
  for (let turn = 0; turn < 1200; turn++) {
    const job = await api.ok('GET', `/v1/jobs/${id}`);
    if (job['state'] === 'succeeded') return;
    if (job['state'] === 'failed') throw new Error(String(job['error']));
    await sleep(50);
  }
  throw new Error('it has not ended');
};
const refresh = async () => ended((await api.ok<{ id: string }>('POST', '/v1/refresh')).id);
const send = (...events: object[]) => api.ok<{ accepted: number; quarantined: number }>('POST', '/v1/events', events);
const buy = (who: object[], receipt: string) => ({
  ...{ type: 'purchase', id: receipt, at, identifiers: who, lines: [{ amountMicros: 1_000_000, product: 'tea' }] },
});
const known = async (identifier: { kind: string; value: string }, pepper: string) => {
  const value = await api.deps.redis.getBuffer(profileKey(keyOf(identifier, pepper)));
  return value === null ? null : decodeProfile(value);
};
const find = (identifier: object) =>
  api.ok<{ id: number; segments: { id: string }[]; purchases: { receipt: string }[] }>('POST', '/v1/profiles:find', {
    identifier,
  });
/** Whom a bid request with this advertising id may be looked up by, in the order in which the first that is known counts. */
const lookedUp = (identifier: { value: string }) =>
  identifiersOf(
    { device: { ifa: identifier.value }, buyeruid: '', userId: '' } as never,
    'ex',
    api.deps.pepper,
    { caps: 'person' } as never,
    0,
  );

beforeAll(async () => {
  api = await startApi();
  setPepper(OLD);
  segmenter = await startSegmenter(api.deps, { refreshSeconds: null });
  await api.ok('PUT', '/v1/segments/buyers', { name: 'Buyers', rule: { purchases: { count: { min: 2 } } }, minimumSize: 1 });
  await putLineItem(api.deps, 'live', ['buyers']);
  await send(buy([mail('ann'), ifa(1)], 'a1'), buy([mail('bob'), ifa(2)], 'b1'), buy([mail('bob'), ifa(2)], 'b2'));
  await send(buy([mail('eve'), ifa(3)], 'e1'), buy([mail('kim'), ifa(4)], 'k1'), buy([mail('zoe'), ifa(5)], 'z1'));
  await refresh();
  await api.deps.redis.hset(capsKey(keyOf(ifa(1), OLD)), 'li:1:1', 3);
  const consent = { purposes: ['ads'], status: 'withdrawn', identifiers: [mail('eve')] };
  await api.ok('POST', '/v1/consents', consent);
  const erasure = await api.ok<{ job: string }>('POST', '/v1/erasures', { identifiers: [mail('kim')] });
  await ended(erasure.job);
  await refresh();
}, 60_000);
afterAll(async () => {
  await segmenter.close();
  await api.stop();
});

test('a rotation loses nothing: profile, anchor, bucket, caps, membership, opt-out, erasure', async () => {
  const ann = await known(ifa(1), OLD);
  const before = await find(mail('ann'));
  expect(before.segments).toEqual([]);
  setPepper(pepperRing(NEW, OLD));
  expect(await api.ok('GET', '/v1/peppers')).toMatchObject({ older: 1, alone: { optOuts: 4, erased: 3 } });

  // Who has not come again is found by what is honoured, by people, by the bidder, by consents.
  expect((await find(mail('bob'))).purchases).toHaveLength(2);
  expect(lookedUp(ifa(2))).toEqual([keyOf(ifa(2), OLD), keyOf(ifa(2), NEW)]);

  // Whoever comes again is keyed anew and is who they were. Facts name them by what lasts, so that what is sent again is known again.
  expect(await send(buy([mail('ann'), ifa(1)], 'a2'), buy([mail('new'), ifa(9)], 'n1'))).toMatchObject({ accepted: 2 });
  expect(await rows(`SELECT count() AS n FROM purchases WHERE receipt = 'a2' AND identifier = '${keyOf(ifa(1), OLD)}'`)).toEqual([
    { n: '1' },
  ]);
  expect(await rows(`SELECT count() AS n FROM links WHERE node = '${keyOf(ifa(1), NEW)}'`)).not.toEqual([{ n: '0' }]);
  await refresh();
  const after = await find(mail('ann'));
  expect(after.id).toBe(before.id);
  expect(after.purchases.map(({ receipt }) => receipt).sort()).toEqual(['a1', 'a2']);
  expect(after.segments.map(({ id }) => id)).toEqual(['buyers']);
  for (const pepper of [OLD, NEW]) {
    const value = await known(ifa(1), pepper);
    expect([value?.profile, value?.anchor, value?.memberships.length]).toEqual([ann?.profile, ann?.anchor, 1]);
    expect(bucketOf(String(value?.anchor), 'salt')).toBe(bucketOf(String(ann?.anchor), 'salt'));
  }
  expect(await api.deps.redis.hgetall(capsKey(ann?.anchor as string))).toMatchObject({ 'li:1:1': '3' });

  // Who opted out stays out under both, who was erased does not come back.
  expect((await known(ifa(3), OLD))?.consent).toBe(OPTED_OUT);
  await send(buy([mail('eve'), ifa(3)], 'e2'));
  await refresh();
  expect((await known(ifa(3), NEW))?.consent).toBe(OPTED_OUT);
  expect(await send(buy([mail('kim'), ifa(4)], 'k2'))).toMatchObject({ accepted: 0, quarantined: 1 });
}, 60_000);

test('what is sent again across a rotation counts once, whoever it names first, and what was refused before it too', async () => {
  const who = [
    { kind: 'cookie', value: 'x-1' },
    { kind: 'cookie', value: 'x-2' },
    { kind: 'cookie', value: 'x-3' },
  ];
  const events = who.flatMap((_, n) => [
    { type: 'ping', at: Date.parse(at) + n, identifiers: who.slice(n), lat: 55.75, lon: 37.6 },
    { type: 'page', at, identifiers: who.slice(n), url: `https://shop.example/${n}` },
    { type: 'redemption', at, identifiers: who.slice(n), coupon: `c${n}` },
    { type: 'action', at, identifiers: who.slice(n), name: `a${n}` },
  ]);
  const counts = () =>
    rows(`SELECT (SELECT count() FROM pings FINAL) AS pings, (SELECT count() FROM pages FINAL) AS pages,
      (SELECT count() FROM redemptions FINAL) AS redemptions, (SELECT count() FROM actions FINAL) AS actions`);
  const refused = { type: 'page', at: 'yesterday', identifiers: [who[0]], url: 'https://shop.example/late' };
  setPepper(OLD);
  await send(...events, refused);
  setPepper(pepperRing(NEW, OLD));
  await send(...events, { ...refused, at });
  const { data } = await api.ok<{ data: { id: string }[] }>('GET', '/v1/quarantine?code=bad_time');
  expect(data).toHaveLength(1);
  await api.ok('POST', `/v1/quarantine/${data[0]?.id}/replay`, { patch: { at } });
  expect(await counts()).toEqual([{ pings: '3', pages: '4', redemptions: '3', actions: '3' }]);
}, 60_000);

test('words and erasures of who has not come again reach them under the old pepper', async () => {
  await api.ok('POST', '/v1/consents', { purposes: ['ads'], status: 'withdrawn', identifiers: [mail('bob')] });
  expect((await known(ifa(2), OLD))?.consent).toBe(OPTED_OUT);
  const { id, job } = await api.ok<{ id: string; job: string }>('POST', '/v1/erasures', { identifiers: [mail('zoe')] });
  await ended(job);
  expect(await api.ok('GET', `/v1/erasures/${id}`)).toMatchObject({
    receipt: { erased: { purchases: 1 }, proof: { found: [] } },
  });
  expect(await rows("SELECT count() AS n FROM purchases WHERE receipt = 'z1'")).toEqual([{ n: '0' }]);
}, 60_000);

test('a match of user sync brings both, and joins them', async () => {
  const keys = (pepper: string) => ({
    user: keyOf({ kind: 'exchange', value: 'ex:u1' }, pepper),
    cookie: keyOf({ kind: 'cookie', value: 'c1' }, pepper),
  });
  const match = { type: 'sync', exchange: 'ex', at: Date.parse(at), ...keys(NEW), older: [keys(OLD)] };
  await api.deps.redis.xadd(AD_EVENT_STREAM, '*', 'e', JSON.stringify(match));
  const intake = startIntake(api.deps);
  await intake.drained();
  await intake.close();
  await refresh();
  const all = [...Object.values(keys(NEW)), ...Object.values(keys(OLD))].map((key) => `'${key}'`).join();
  expect(
    await rows(`SELECT count() AS keys, uniqExact(profile) AS people FROM identities FINAL WHERE identifier IN (${all})`),
  ).toEqual([{ keys: '4', people: '1' }]);
}, 60_000);

test('keys under two peppers take one place within the limits, and do not run out', async () => {
  // 60 devices of one person are 121 keys, over the hundred that a person may have.
  const devices = Array.from({ length: 60 }, (_, n) => ({ kind: 'cookie', value: `many-${n}` }));
  for (let n = 0; n < devices.length; n += 20) {
    setPepper(OLD);
    await send({ type: 'identify', at, identifiers: [mail('many'), ...devices.slice(n, n + 20)] });
    setPepper(pepperRing(NEW, OLD));
    await send({ type: 'identify', at, identifiers: [mail('many'), ...devices.slice(n, n + 20)] });
  }
  await refresh();
  const { id } = await find(mail('many'));
  const [row] = await rows<{ n: string }>(
    `SELECT count() AS n FROM identities FINAL WHERE profile = ${id} AND kind IN ('cookie', 'email')`,
  );
  expect(Number(row?.n)).toBe(122);
}, 60_000);

test('when the old one is retired, everybody who came again is whole, and the others are found by nobody', async () => {
  setPepper(NEW);
  const ann = await find(mail('ann'));
  expect(ann.purchases.map(({ receipt }) => receipt).sort()).toEqual(['a1', 'a2']);
  await send(buy([mail('ann'), ifa(1)], 'a3'));
  await refresh();
  expect(await find(mail('ann'))).toMatchObject({ id: ann.id });
  expect((await find(mail('ann'))).purchases).toHaveLength(3);
  expect(lookedUp(ifa(1))).toEqual([keyOf(ifa(1), NEW)]);
  expect((await known(ifa(3), NEW))?.consent).toBe(OPTED_OUT);
}, 120_000);

const put = async (advertiser: string, apart = false) => {
  await api.ok('PUT', `/v1/advertisers/${advertiser}`, {
    ...{ name: advertiser, domains: ['shop.example'] },
    ...(apart ? { apart } : {}),
  });
  await api.ok('PUT', `/v1/sources/src_${advertiser}`, { name: advertiser, party: '1p', advertiser });
};
const sendTo = (advertiser: string, ...events: object[]) =>
  api.ok<{ accepted: number; quarantined: number }>('POST', `/v1/events?source=src_${advertiser}`, events);
/** One person with an e-mail, a card and a device, of whom every kind of fact comes, and a row that is refused. */
const everything = (advertiser: string, who: object, device: object) => [
  { type: 'identify', at, identifiers: [who, device, { kind: 'loyalty', value: `${advertiser}-7` }] },
  { type: 'identify', at, identifiers: [who], attributes: { tier: 'gold' } },
  buy([who], `${advertiser}-1`),
  { type: 'ping', at, identifiers: [who], lat: 55.75, lon: 37.6 },
  { type: 'page', at, identifiers: [who], url: 'https://shop.example/' },
  { type: 'redemption', at, identifiers: [who], coupon: 'c' },
  { type: 'action', at, identifiers: [who], name: 'opened' },
  { type: 'page', at: 'never', identifiers: [who], url: 'https://shop.example/' },
];
/** Whom each table of the warehouse names, of the rows that a source brought. */
async function namedBy(source: string): Promise<Map<string, Set<string>>> {
  const { warehouse } = api.deps;
  const withSource = await rows<{ table: string }>(
    "SELECT DISTINCT table FROM system.columns WHERE database = currentDatabase() AND name = 'source'",
  );
  const named = new Map<string, Set<string>>();
  for (const { table, keys, texts } of await readSchema(warehouse)) {
    if (!withSource.some((one) => one.table === table)) continue;
    const found = [
      ...keys.map((column) => `toString(${column})`),
      ...texts.map((column) => `arrayJoin(extractAll(toString(${column}), '${KEY_PATTERN}'))`),
    ];
    for (const column of found)
      for (const { key } of await rows<{ key: string }>(
        `SELECT DISTINCT ${column} AS key FROM ${table} WHERE source = '${source}'`,
      ))
        if (key !== NOBODY) named.set(table, (named.get(table) ?? new Set()).add(key));
  }
  return named;
}
const inBoth = (a: Map<string, Set<string>>, b: Map<string, Set<string>>): string[] =>
  [...a].filter(([table, keys]) => [...keys].some((key) => b.get(table)?.has(key) === true)).map(([table]) => table);
const receipt = (id: string) =>
  rows<{ identifier: string }>(`SELECT toString(identifier) AS identifier FROM purchases FINAL WHERE receipt = '${id}'`).then(
    ([row]) => row?.identifier,
  );
const amy = mail('amy');

test('two advertisers name the same e-mail by two keys, and meet by it where they may', async () => {
  setPepper(NEW);
  for (const advertiser of ['one', 'two']) await put(advertiser);
  const regulars = { name: 'Regulars', advertiser: 'one', rule: { purchases: { count: { min: 3 } } }, minimumSize: 1 };
  await api.ok('PUT', '/v1/segments/regulars', regulars);
  await sendTo('one', ...everything('one', amy, ifa(21)));
  await sendTo('two', ...everything('two', amy, ifa(22)));
  const [one, two] = [await namedBy('src_one'), await namedBy('src_two')];
  // Where people are joined they have one key.
  expect(inBoth(one, two).sort()).toEqual(['edges', 'links']);
  const facts = ['actions', 'attributes', 'pages', 'pings', 'purchases', 'quarantine', 'redemptions'];
  for (const table of facts) {
    expect([table, one.get(table)?.size]).toEqual([table, 1]);
    expect([...(one.get(table) as Set<string>), ...(two.get(table) as Set<string>)]).not.toContain(keyOf(amy, NEW));
  }
  await refresh();
  const found = await find(amy);
  expect(found.purchases.map(({ receipt: id }) => id).sort()).toEqual(['one-1', 'two-1']);
  // A number that only one of them gives is keyed by it alone.
  const card = { identifier: { kind: 'loyalty', value: 'one-7' }, source: 'src_one' };
  expect(await api.ok('POST', '/v1/profiles:find', card)).toMatchObject({ id: found.id });
}, 120_000);

test('one advertiser’s rotation changes its keys alone: people, words and memberships stay, and what is sent again counts once', async () => {
  const keysOfTwo = async () => new Set([...(await namedBy('src_two')).values()].flatMap((keys) => [...keys]));
  const others = await keysOfTwo();
  const before = await find(amy);
  const first = await receipt('one-1');
  await api.ok('POST', '/v1/consents', { purposes: ['ads'], status: 'withdrawn', identifiers: [mail('may')] });
  await sendTo('one', buy([mail('may'), ifa(23)], 'may-1'));
  const turn = (act: string, generation: number) => api.ok('POST', `/v1/peppers/one/${act}`, { generation });
  expect(await turn('rotate', 2)).toMatchObject({ generations: [2, 1], own: true, alone: 1 });
  expect(await turn('rotate', 2)).toMatchObject({ generations: [2, 1] });
  for (const [act, generation] of Object.entries({ rotate: 4, retire: 2, honour: 0 }))
    expect((await api.call('POST', `/v1/peppers/one/${act}`, { generation })).statusCode).toBe(409);
  await sendTo('one', ...everything('one', amy, ifa(21)), buy([amy], 'one-2'));
  expect(await receipt('one-2')).toBe(first);
  for (const table of ['pings', 'pages', 'redemptions', 'actions'])
    expect([table, await rows(`SELECT count() AS n FROM ${table} FINAL WHERE source = 'src_one'`)]).toEqual([
      table,
      [{ n: '1' }],
    ]);
  expect(await turn('retire', 1)).toMatchObject({ generations: [2], alone: 0 });
  await sendTo('one', buy([amy], 'one-3'));
  const third = await receipt('one-3');
  expect([first, keyOf(amy, NEW)]).not.toContain(third);
  await refresh();
  const after = await find(amy);
  expect(after).toMatchObject({ id: before.id });
  expect(after.purchases.map(({ receipt: id }) => id).sort()).toEqual(['one-1', 'one-2', 'one-3', 'two-1']);
  expect(after.segments.map(({ id }) => id)).toContain('regulars');
  // By the card it is found under both.
  const card = { identifier: { kind: 'loyalty', value: 'one-7' }, source: 'src_one' };
  expect(await api.ok('POST', '/v1/profiles:find', card)).toMatchObject({ id: before.id });
  expect((await known(ifa(23), NEW))?.consent).toBe(OPTED_OUT);
  expect(await keysOfTwo()).toEqual(others);
  const { data } = await api.ok<{ data: { before: { peppers: number[] }; after: { peppers: number[] } }[] }>(
    'GET',
    '/v1/audit-log?kind=advertiser&id=one',
  );
  expect(data.map((entry) => entry.after.peppers)).toContainEqual([2, 1]);
}, 120_000);

test('a row that was refused before its person refused is not taken when it is tried again', async () => {
  const late = { type: 'page', at: 'later', identifiers: [mail('liz')], url: 'https://shop.example/liz' };
  await sendTo('two', late, { ...late, identifiers: [mail('lou')] });
  const { data } = await api.ok<{ data: { id: string }[] }>('GET', '/v1/quarantine?code=bad_time&source=src_two');
  await api.ok('POST', '/v1/consents', { purposes: ['storage'], status: 'withdrawn', identifiers: [mail('liz')] });
  const replayed = await Promise.all(
    data.map(({ id }) => api.call('POST', `/v1/quarantine/${id}/replay`, { patch: { at } }).then(({ body }) => body)),
  );
  expect(replayed.filter((body) => body.includes('consent_missing'))).toHaveLength(1);
  const pages = await rows<{ identifier: string }>("SELECT toString(identifier) AS identifier FROM pages WHERE url LIKE '%/liz'");
  expect(pages).toHaveLength(1);
  await refresh();
  // Who was taken is met by others, by the key that the refused row had kept for it.
  const sql = `SELECT uniqExact(profile) AS n FROM identities FINAL WHERE identifier IN ('${keyOf(mail('lou'), NEW)}', '${pages[0]?.identifier}')`;
  expect(await rows(sql)).toEqual([{ n: '1' }]);
}, 120_000);

test('an erasure finds a person under all peppers, in refused rows of whom nothing else is known too', async () => {
  await sendTo('two', { type: 'page', at: 'never', identifiers: [mail('una')], url: 'https://shop.example/' });
  // A receipt counts stored rows: those that were sent again may not have been merged yet.
  await api.deps.warehouse.command({ sql: 'OPTIMIZE TABLE purchases FINAL' });
  for (const who of [amy, mail('una')]) {
    const { id, job } = await api.ok<{ id: string; job: string }>('POST', '/v1/erasures', { identifiers: [who] });
    await ended(job);
    const { receipt: done } = await api.ok<{ receipt: { erased: Record<string, number> } }>('GET', `/v1/erasures/${id}`);
    expect(done).toMatchObject({ erased: who === amy ? { purchases: 4 } : { quarantine: 1 }, proof: { found: [] } });
  }
  for (const advertiser of ['one', 'two'])
    expect(await sendTo(advertiser, buy([amy], 'amy-again'))).toMatchObject({ accepted: 0, quarantined: 1 });
}, 120_000);

test('people of advertisers who stay apart are not joined, stand under no common key anywhere, and are reached by the operator’s word', async () => {
  const ida = mail('ida');
  for (const advertiser of ['three', 'four']) await put(advertiser, true);
  await sendTo('three', ...everything('three', ida, ifa(31)));
  await sendTo('four', ...everything('four', ida, ifa(32)));
  expect(inBoth(await namedBy('src_three'), await namedBy('src_four'))).toEqual([]);
  await refresh();
  const [three, four] = [await known(ifa(31), NEW), await known(ifa(32), NEW)];
  expect(three?.profile).not.toBe(four?.profile);
  const common = `'${keyOf(ida, NEW)}'`;
  for (const { table, keys } of await readSchema(api.deps.warehouse))
    for (const column of keys)
      expect([table, await rows(`SELECT count() AS n FROM ${table} WHERE ${column} = ${common}`)]).toEqual([table, [{ n: '0' }]]);
  const change = await api.call('PATCH', '/v1/advertisers/three', { apart: false }, { headers: { 'if-match': '*' } });
  expect(change.json()).toMatchObject({ errors: [{ pointer: '/apart', code: 'immutable' }] });
  await api.ok('POST', '/v1/consents', { purposes: ['ads'], status: 'withdrawn', identifiers: [ida] });
  for (const device of [ifa(31), ifa(32)]) expect((await known(device, NEW))?.consent).toBe(OPTED_OUT);
  const { id, job } = await api.ok<{ id: string; job: string }>('POST', '/v1/erasures', { identifiers: [ida] });
  await ended(job);
  expect(await api.ok('GET', `/v1/erasures/${id}`)).toMatchObject({
    receipt: { erased: { purchases: 2 }, proof: { found: [] } },
  });
  expect(await sendTo('three', buy([ida], 'ida-again'))).toMatchObject({ accepted: 0, quarantined: 1 });
}, 120_000);

test('an advertiser from before goes on under the installation’s pepper until its first is made, and then what is sent again counts once', async () => {
  const old = { name: 'old', domains: ['shop.example'], currency: 'USD' as const };
  await api.deps.things.put('advertiser', 'old', old, { actor: 'test' });
  await api.ok('PUT', '/v1/sources/src_old', { name: 'old', party: '1p', advertiser: 'old' });
  const page = { type: 'page', at, identifiers: [mail('olga')], url: 'https://shop.example/olga' };
  await sendTo('old', page);
  const named = () => rows("SELECT DISTINCT toString(identifier) AS key FROM pages FINAL WHERE url LIKE '%/olga' ORDER BY at");
  expect(await named()).toEqual([{ key: keyOf(mail('olga'), NEW) }]);
  const address = await api.app.listen({ host: '127.0.0.1', port: 0 });
  const ask = (act: TenantAct) => tenantPepper(address, ADMIN_KEY, 'old', act);
  expect(await ask('status')).toMatch(/first, 0 /);
  expect(await ask('rotate')).toMatch(/first, 1, 0 /);
  expect(await api.ok('GET', '/v1/peppers')).toMatchObject({
    tenants: expect.arrayContaining([expect.objectContaining({ advertiser: 'old', generations: [1, 0], own: false })]),
  });
  await sendTo('old', page);
  expect(await named()).toEqual([{ key: keyOf(mail('olga'), NEW) }]);
  expect(await ask('retire')).toMatch(/first, 1$/);
  await expect(ask('retire')).rejects.toThrow(/honoured are 1/);
  await sendTo('old', { ...page, url: 'https://shop.example/new-olga' });
  const [row] = await rows<{ key: string }>("SELECT toString(identifier) AS key FROM pages WHERE url LIKE '%/new-olga'");
  expect(row?.key).not.toBe(keyOf(mail('olga'), NEW));
  expect(await ask('honour')).toMatch(/first, 1, 0 /);
}, 120_000);
