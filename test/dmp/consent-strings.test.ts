import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { saidBy } from '../../dmp/consents/strings.ts';
import { startImportWorker } from '../../dmp/imports/worker.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { profileKey } from '../../proto/keys.ts';
import { consentHash } from '../../proto/privacy/consent-hash.ts';
import { decodeProfile, OPTED_OUT } from '../../proto/profile.ts';
import { gppString, tcString } from '../proto/privacy/strings.ts';
import { startApi, type TestApi } from '../support/api.ts';

const VENDOR = 21;
const at = '2026-07-01T10:00:00Z';
const ALL = { purposes: [1, 2, 3, 4, 7, 9], features: [1], vendors: [VENDOR], disclosed: [VENDOR] };
const TCF = tcString(ALL);
const without = (...purposes: number[]) => tcString({ ...ALL, purposes: ALL.purposes.filter((one) => !purposes.includes(one)) });

let api: TestApi;
let imports: { close(): Promise<void> };
beforeAll(async () => {
  api = await startApi();
  Object.assign(api.deps, { vendor: VENDOR });
  imports = startImportWorker(api.deps);
  await api.ok('PUT', '/v1/advertisers/adv', { name: 'A', domains: ['a.example'] });
  await api.ok('PUT', '/v1/sources/site', { name: 'Site', party: '1p' });
  await api.ok('PUT', '/v1/sources/own', { name: 'Own site', party: '1p', advertiser: 'adv' });
});
afterAll(async () => {
  await imports.close();
  await api.stop();
});

const who = (value: string) => ({ kind: 'cookie', value });
const page = (value: string, privacy?: object, more: object = {}) => ({
  ...{ type: 'page', at, identifiers: [who(value)], url: 'https://shop.example/' },
  ...(privacy === undefined ? {} : { privacy }),
  ...more,
});
const send = (events: object | object[], source = 'site') =>
  api.ok<{ accepted: number; quarantined: number; errors: object[] }>('POST', `/v1/events?source=${source}`, events);
const find = async (value: string) =>
  api.ok<{ purposes: Record<string, string>; history: Record<string, unknown>[] }>('POST', '/v1/consents:find', {
    identifier: who(value),
  });
const rows = async (sql: string) => api.deps.warehouse.query<Record<string, unknown>>({ sql });

describe('what strings say', () => {
  test('TCF: purpose by purpose, and when it was said', () => {
    expect(saidBy({ tcf: without(3, 4) }, VENDOR)).toEqual({
      ...{ granted: ['ads', 'measurement', 'statistics', 'location'], refused: ['profiles', 'personalised_ads'] },
      ...{ withheld: false, unaddressed: false, placeless: false, at: Date.UTC(2026, 5, 1), document: 'TCF' },
      hash: consentHash({ consent: without(3, 4), gpp: '', usPrivacy: '' }),
    });
  });

  test.each([
    ['unreadable', 'nonsense', VENDOR],
    ['of people who never saw us', tcString({ ...ALL, disclosed: [22] }), VENDOR],
    ['where we have no vendor id', TCF, 0],
  ])('TCF %s: no word of the person, and nothing of the event may be stored', (_, tcf, vendor) => {
    expect(saidBy({ tcf }, vendor)).toMatchObject({ granted: [], refused: [], withheld: true });
  });

  test('storage is of the event alone, and a refused vendor refuses all', () => {
    expect(saidBy({ tcf: without(1) }, VENDOR)).toMatchObject({ refused: [], withheld: true });
    const all = ['ads', 'profiles', 'personalised_ads', 'measurement', 'statistics'];
    const refused = tcString({ ...ALL, vendors: [22], disclosed: [VENDOR, 22] });
    expect(saidBy({ tcf: refused }, VENDOR)).toMatchObject({ granted: ['location'], refused: all, withheld: true });
  });

  test('the other laws know refusals only, by the same table as bids', () => {
    const contextual = ['profiles', 'personalised_ads', 'measurement', 'location'];
    expect(saidBy({ usPrivacy: '1YYN' }, VENDOR)).toMatchObject({ granted: [], refused: contextual, document: 'us_privacy' });
    expect(saidBy({ usPrivacy: '1YNN' }, VENDOR)).toMatchObject({ granted: [], refused: [] });
    const gpp = gppString({ usnat: { SaleOptOut: 1, SharingOptOut: 2, TargetedAdvertisingOptOut: 2 } });
    expect(saidBy({ gpp, gppSid: [7] }, VENDOR)).toMatchObject({ granted: [], refused: contextual, document: 'GPP', at: null });
    expect(saidBy({ gpp }, VENDOR)).toMatchObject({ refused: [] });
    expect(saidBy({ gpc: true }, VENDOR)).toMatchObject({ refused: contextual, document: 'GPC' });
  });
});

test('words are recorded with the hash of the string as their proof, once, and the string nowhere', async () => {
  for (let turn = 0; turn < 3; turn++)
    expect(await send(page('ann', { tcf: without(3, 4) }))).toMatchObject({ accepted: 1, quarantined: 0 });
  const { purposes, history } = await find('ann');
  expect(purposes).toEqual({
    ...{ ads: 'granted', measurement: 'granted', statistics: 'granted', location: 'granted' },
    ...{ profiles: 'withdrawn', personalised_ads: 'withdrawn' },
  });
  expect(history).toHaveLength(6);
  expect(history.find(({ purpose }) => purpose === 'ads')).toMatchObject({
    ...{ at: '2026-06-01T00:00:00.000Z', expires: '2027-07-01T00:00:00.000Z', source: 'site' },
    proof: { document: 'TCF string', version: saidBy({ tcf: without(3, 4) }, VENDOR).hash, channel: 'event' },
  });
  for (const table of ['consents', 'pages', 'quarantine'])
    expect(JSON.stringify(await rows(`SELECT * FROM ${table}`))).not.toContain(TCF.slice(0, 20));
  // A newer string of the same browser wins, an older one that comes late does not.
  const newer = tcString({ ...ALL, created: new Date(Date.UTC(2026, 5, 20)) });
  await send(page('ann', { tcf: newer }));
  await send(page('ann', { tcf: without(3, 4) }));
  expect((await find('ann')).purposes).toMatchObject({ profiles: 'granted', personalised_ads: 'granted' });
});

test('an event that may not be stored is not, its place neither, and quarantine keeps nothing of it', async () => {
  const ping = { type: 'ping', at, identifiers: [who('bob')], lat: 55.75, lon: 37.6 };
  const answer = await send([
    page('bob', { tcf: without(1) }),
    { ...ping, privacy: { tcf: tcString({ ...ALL, features: [] }) } },
    { ...ping, privacy: { tcf: TCF } },
    page('bob', { tcf: 'nonsense' }),
    page('bob', { tcf: TCF }, { url: '' }),
  ]);
  expect(answer).toMatchObject({ accepted: 1, quarantined: 4 });
  expect(answer.errors.slice(0, 3)).toMatchObject([
    { line: 1, pointer: '/privacy', code: 'consent_missing' },
    { line: 2, pointer: '/privacy', code: 'consent_missing' },
    { line: 4, pointer: '/privacy', code: 'consent_missing' },
  ]);
  expect(await rows("SELECT DISTINCT original, value FROM quarantine WHERE source = 'site'")).toEqual([
    { original: '', value: '' },
  ]);
  const key = keyIdentifier({ kind: 'cookie', value: 'bob' }, api.deps.pepper);
  expect(await rows(`SELECT count() AS n FROM pings WHERE identifier = '${key}'`)).toEqual([{ n: '1' }]);
});

test('a place that somebody’s string withdraws is not taken of the same call, before it or after it, as JSON or as lines', async () => {
  const placeless = tcString({ ...ALL, features: [] });
  const ping = (value: string, privacy?: object) => ({
    ...{ type: 'ping', at, identifiers: [who(value)], lat: 55.75, lon: 37.6 },
    ...(privacy === undefined ? {} : { privacy }),
  });
  const asLines = (events: object[]): string => events.map((event) => JSON.stringify(event)).join('\n');
  for (const form of ['json', 'lines']) {
    const [one, other] = [`${form}-withdrew`, `${form}-did-not`];
    const events = [ping(one), page(one, { tcf: placeless }), ping(other), ping(one), page(one), ping(other, { tcf: TCF })];
    const { accepted, errors } =
      form === 'json'
        ? await send(events)
        : await api.ok<{ accepted: number; errors: object[] }>('POST', '/v1/events?source=site', asLines(events), {
            headers: { 'content-type': 'application/x-ndjson' },
          });
    expect(accepted).toBe(4);
    expect(errors).toMatchObject([
      { line: 1, pointer: '/identifiers', code: 'consent_missing' },
      { line: 4, pointer: '/identifiers', code: 'consent_missing' },
    ]);
  }
});

test('without a vendor id of ours a TCF string is refused under a code of its own, for the operator to mend', async () => {
  Object.assign(api.deps, { vendor: 0 });
  const answer = await send([page('dan', { tcf: TCF }), page('dan', { usPrivacy: '1YNN' })]);
  Object.assign(api.deps, { vendor: VENDOR });
  expect(answer).toMatchObject({ accepted: 1, errors: [{ line: 1, pointer: '/privacy', code: 'no_vendor_id' }] });
  expect((await find('dan')).purposes).toEqual({});
  expect(await rows("SELECT DISTINCT original FROM quarantine WHERE code = 'no_vendor_id'")).toEqual([{ original: '' }]);
});

const isOut = async (key: string): Promise<boolean> => {
  const value = await api.deps.redis.getBuffer(key);
  return value !== null && decodeProfile(value)?.consent === OPTED_OUT;
};

test('who refuses ads to the operator is bid on no more when the event is answered, and who agrees anew is free', async () => {
  const key = profileKey(keyIdentifier({ kind: 'cookie', value: 'eve' }, api.deps.pepper) as string);
  await send(page('eve', { tcf: without(2) }));
  expect(decodeProfile((await api.deps.redis.getBuffer(key)) as Buffer)?.consent).toBe(OPTED_OUT);
  await send(page('eve', { tcf: tcString({ ...ALL, created: new Date(Date.UTC(2026, 5, 20)) }) }));
  expect(await api.deps.redis.exists(key)).toBe(0);
  // An older refusal that comes late does not undo it.
  await send(page('eve', { tcf: without(2, 4) }));
  expect(await isOut(key)).toBe(false);
  // What is said to an advertiser's own source is said to that advertiser.
  const other = profileKey(keyIdentifier({ kind: 'cookie', value: 'kim' }, api.deps.pepper) as string);
  await send(page('kim', { tcf: without(2, 3) }), 'own');
  expect(await isOut(other)).toBe(false);
  expect(await rows(`SELECT DISTINCT advertiser FROM consents WHERE source = 'own'`)).toEqual([{ advertiser: 'adv' }]);
});

test('files carry strings too, in columns of their own', async () => {
  const { id } = await api.ok<{ id: string }>('POST', '/v1/imports', {
    ...{ type: 'purchase', format: 'csv', source: 'site' },
    mapping: {
      columns: { id: 'id', at: 'at', amount: 'amount', 'privacy.tcf': 'tcf', 'privacy.gpp': 'gpp', 'privacy.gppSid': 'sid' },
      identifiers: [{ kind: 'cookie', column: 'who' }],
    },
  });
  const gpp = gppString({ usnat: { SaleOptOut: 1, SharingOptOut: 2, TargetedAdvertisingOptOut: 2 } });
  const lines = [
    'id,at,amount,who,tcf,gpp,sid',
    `r1,${at},1,f1,${without(3)},,`,
    `r2,${at},1,f2,${without(1, 2)},,`,
    `r3,${at},1,f3,,${gpp},7_8`,
    `r4,${at},1,f4,,,`,
  ];
  const sent = await api.call('PUT', `/v1/imports/${id}/file`, lines.join('\n'), { headers: { 'content-type': 'text/csv' } });
  for (let turn = 0; turn < 600; turn++) {
    const job = await api.ok('GET', `/v1/jobs/${sent.json().id}`);
    if (job['state'] === 'succeeded') break;
    expect(job['state']).not.toBe('failed');
    await sleep(50);
  }
  expect(await api.ok('GET', `/v1/imports/${id}`)).toMatchObject({ result: { accepted: 3, quarantined: 1 } });
  expect((await find('f1')).purposes).toMatchObject({ profiles: 'withdrawn', ads: 'granted' });
  expect((await find('f3')).purposes).toMatchObject({ profiles: 'withdrawn', measurement: 'withdrawn' });
  expect((await find('f4')).purposes).toEqual({});
  const key = profileKey(keyIdentifier({ kind: 'cookie', value: 'f2' }, api.deps.pepper) as string);
  expect(decodeProfile((await api.deps.redis.getBuffer(key)) as Buffer)?.consent).toBe(OPTED_OUT);
});
