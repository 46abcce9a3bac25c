import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Export, readExport, saveExport } from '../../dmp/destinations/exports.ts';
import { cell } from '../../dmp/destinations/formats.ts';
import { keyRanges } from '../../dmp/destinations/key-ranges.ts';
import { FORGETTING_KEY, FORGOTTEN_KEY, forgetDaily, queueDue } from '../../dmp/destinations/schedule.ts';
import { erase } from '../../dmp/erasures/erase.ts';
import { dropRemovals } from '../../dmp/erasures/exports.ts';
import { createKeyring } from '../../dmp/events/keyring.ts';
import { createSealer } from '../../dmp/identity/seal.ts';
import { optIn, optOut } from '../../dmp/opt-out/opt-out.ts';
import { DESTINATION_KINDS } from '../../dmp/sources/purposes.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { body, type SendRig, STEPS, sendRig } from './destinations-rig.ts';

/** SHA-256 as reference/data-platform.md recomputed them, by what was sent. */
const VECTORS = {
  mail: 'b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514', // user@example.com
  gmailGoogle: '92ee26057ed9dea2535d6c8b141d48373932476599196e00352254896db5888f', // janesaoirse@gmail.com
  phoneGoogle: '86cc60992d2e0fde2e5511d462b755057f8f5c6b259a1ff7c2eee2ea284eb113', // +79995551111
  phonePlain: '22846ab8f79870871eb44f653419a4a5069301827d8ae75b6c2a88e4989a364e', // 79995551111
};
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const gmailMeta = sha256('jane.saoirse+work@gmail.com');

const HOUR_MS = 3_600_000;
const keyOfMail = (address: string): string => createKeyring(api.deps.pepper).keyOf('email', address) as string;
const MERGE = { headers: { 'if-match': '*', 'content-type': 'application/merge-patch+json' } };
const ANNA = ['email', 'User@Example.com '] as const;
const JANE = ['email', 'Jane.Saoirse+Work@gmail.com'] as const;
const PHONE = ['phone', '8 (999) 555-11-11'] as const;
const IFA = ['ifa', '6d92078a-8246-4ba4-ae5b-76104861e7dc'] as const;

let api: TestApi;
let rig: SendRig;
const destination = (id: string, more: object) =>
  api.ok<{ signingSecret?: string }>('PUT', `/v1/destinations/${id}`, {
    advertiser: 'shop',
    name: id,
    segments: [{ segment: 'buyers' }],
    ...more,
  });

beforeAll(async () => {
  api = await startApi();
  await api.app.ready();
  rig = sendRig(api);
  await api.ok('PUT', '/v1/advertisers/shop', { name: 'Shop', domains: ['shop.example'] });
  await api.ok('PUT', '/v1/exchanges/xandr', { name: 'Xandr' });
  await api.ok('PUT', '/v1/sources/crm', { name: 'CRM', party: '1p', destinations: DESTINATION_KINDS });
  await api.ok('PUT', '/v1/sources/private', { name: 'Private', party: '2p' });
  const segment = { advertiser: 'shop', rule: { purchases: { sources: ['crm'] } }, minimumSize: 1 };
  for (const id of ['buyers', 'vips', 'few']) await api.ok('PUT', `/v1/segments/${id}`, { ...segment, name: id });
  await rig.identify('crm', [
    [ANNA, PHONE, IFA],
    [JANE, ['exchange', 'xandr:5727816213491965430']],
    [
      ['email', 'third@example.com'],
      ['exchange', 'xandr:=1+1'],
      ['cookie', '=cmd|calc'],
    ],
    [['email_google', sha256('fourth@example.com')]],
  ]);
  await rig.identify('private', [
    [
      ['email', 'secret@example.com'],
      ['cookie', 'private'],
    ],
  ]);
  await rig.members('buyers', [
    ANNA,
    JANE,
    ['cookie', '=cmd|calc'],
    ['email_google', sha256('fourth@example.com')],
    ['cookie', 'private'],
  ]);
});
afterAll(() => api.stop());

describe('what is kept for sending', () => {
  test('is sealed: at rest there is no hash and no id, and another pepper opens nothing', async () => {
    const rows = await api.deps.warehouse.query<Record<string, string>>({ sql: 'SELECT * FROM sealed FINAL' });
    const text = JSON.stringify(rows);
    for (const value of [...Object.values(VECTORS), IFA[1], 'cmd|calc']) expect(text).not.toContain(value);
    // Of the source whose contract lets nothing be sent nothing is kept.
    expect(new Set(rows.map(({ source }) => source))).toEqual(new Set(['crm']));
    const sealer = createSealer('a');
    expect(sealer.open(sealer.seal('text', 'x'), 'x')).toBe('text');
    expect(sealer.seal('text', 'x')).toBe(sealer.seal('text', 'x'));
    expect(() => createSealer('b').open(sealer.seal('text', 'x'), 'x')).toThrow();
    expect(() => sealer.open(sealer.seal('text', 'x'), 'y')).toThrow();
  });

  test('is asked for in ranges that hold every key once, as ClickHouse orders them', async () => {
    const keys = [
      ...['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
      ...Array.from({ length: 50 }, (_, n) => keyOfMail(`${n}@x.example`)),
    ];
    for (const parts of [0, 1, 7]) {
      const found: string[] = [];
      for (const { first, last } of keyRanges(parts)) {
        const sql =
          'SELECT toString(k) AS key FROM (SELECT arrayJoin({keys:Array(UUID)}) AS k) WHERE k BETWEEN {first:UUID} AND {last:UUID}';
        const rows = await api.deps.warehouse.query<{ key: string }>({ sql, params: { keys, first, last } });
        if (parts === 7) expect(rows.length).toBeLessThan(30);
        found.push(...rows.map(({ key }) => key));
      }
      expect(found.sort()).toEqual([...keys].sort());
    }
  });
});

describe('files', () => {
  test('for Google have its headers and the hashes of its rules', async () => {
    await destination('google', { kind: 'google_customer_match' });
    const record = await rig.send('google');
    expect(record).toMatchObject({
      state: 'ready',
      segments: [{ segment: 'buyers', state: 'sent', members: 5, matched: 4, added: 5 }],
    });
    const { 'google.buyers.add.csv': text } = await rig.files(record);
    expect(text?.split('\n')[0]).toBe('Email,Phone');
    expect(body(text)).toEqual(
      [
        `${VECTORS.mail},${VECTORS.phoneGoogle}`,
        `${VECTORS.gmailGoogle},`,
        `${sha256('third@example.com')},`,
        `${sha256('fourth@example.com')},`,
      ].sort(),
    );
    expect(record.files).toMatchObject([{ rows: 4, identifiers: 5, sha256: sha256(text ?? ''), bytes: text?.length }]);
  });

  test('for a list of devices at Google have the ids alone, and a list is never of both', async () => {
    const mixed = { advertiser: 'shop', name: 'x', kind: 'google_customer_match', identifiers: ['ifa', 'email_google'] };
    expect((await api.call('PUT', '/v1/destinations/google-mixed', mixed)).statusCode).toBe(422);
    await destination('devices', { kind: 'google_customer_match', identifiers: ['ifa'] });
    const { 'devices.buyers.add.csv': text } = await rig.files(await rig.send('devices'));
    expect(text).toBe(`Mobile Device ID\n${IFA[1]}\n`);
  });

  test('for Meta have several keys a person, dots and tags of gmail kept', async () => {
    await destination('meta', { kind: 'meta_custom_audience', mode: 'full' });
    const { 'meta.buyers.replace.csv': text } = await rig.files(await rig.send('meta'));
    expect(text?.split('\n')[0]).toBe('email,phone,madid');
    expect(body(text)).toEqual(
      [`${VECTORS.mail},${VECTORS.phonePlain},${IFA[1]}`, `${gmailMeta},,`, `${sha256('third@example.com')},,`].sort(),
    );
  });

  test('for Yandex have phone and e-mail in lower case', async () => {
    await destination('yandex', { kind: 'yandex_audience' });
    const { 'yandex.buyers.add.csv': text } = await rig.files(await rig.send('yandex'));
    expect(text?.split('\n')[0]).toBe('phone,email');
    expect(body(text)).toEqual(
      [`${VECTORS.phonePlain},${VECTORS.mail}`, `,${gmailMeta}`, `,${sha256('third@example.com')}`].sort(),
    );
  });

  test('for Xandr have a line a user id, and leave out what is no id of it', async () => {
    await destination('xandr', {
      kind: 'xandr',
      exchange: 'xandr',
      segments: [{ segment: 'buyers', code: 'b1' }],
      expirationDays: 30,
    });
    const record = await rig.send('xandr');
    expect(await rig.files(record)).toEqual({ 'xandr.update.txt': '5727816213491965430:b1,43200,1\n' });
    expect(record.files).toMatchObject([{ rows: 1, skipped: 1 }]);
  });

  describe('of devices whose platform is known', () => {
    const ids = [1, 2, 3, 4].map((n) => `6d92078a-8246-4ba4-ae5b-00000000000${n}`) as [string, string, string, string];
    const [apple, android, unsaid, other] = ids;
    const upper = apple.toUpperCase();
    const segments = [{ segment: 'phones', code: 'p1' }];
    const linesOf = async (record: Awaited<ReturnType<SendRig['send']>>) =>
      Object.fromEntries(
        Object.entries(await rig.files(record)).map(([name, text]) => [name, text.split('\n').filter(Boolean).sort()]),
      );

    beforeAll(async () => {
      const rule = { purchases: { sources: ['crm'] } };
      await api.ok('PUT', '/v1/segments/phones', { advertiser: 'shop', name: 'Phones', rule, minimumSize: 1 });
      // Named without its platform first, as a till would, and then by the app.
      await rig.identify('crm', [[['ifa', apple]]]);
      await rig.identify('crm', [
        [
          ['ifa', apple, 'iOS'],
          ['exchange', 'xandr:77'],
        ],
        [['ifa', android.toUpperCase(), 'Android 14']],
        [['ifa', unsaid]],
        [['ifa', other, 'Tizen']],
      ]);
      await rig.members(
        'phones',
        ids.map((id) => ['ifa', id] as const),
      );
    });

    test('Yandex is told of Apple’s in upper case and of Android’s in lower, an id a line', async () => {
      const kinds = ['gaid', 'idfa'];
      await destination('yandex-devices', { kind: 'yandex_audience', identifiers: kinds, segments });
      const record = await rig.send('yandex-devices');
      expect(await rig.files(record)).toEqual({ 'yandex-devices.phones.add.csv': expect.any(String) });
      expect(await linesOf(record)).toEqual({ 'yandex-devices.phones.add.csv': [upper, android].sort() });
      expect(record.files).toMatchObject([{ rows: 2, identifiers: 2 }]);
      await rig.fetchAll(record);
    });

    test('Xandr is told of each whose it is, beside its own ids', async () => {
      const kinds = ['exchange', 'idfa', 'gaid'];
      await destination('xandr-devices', { kind: 'xandr', exchange: 'xandr', identifiers: kinds, segments, expirationDays: 1 });
      expect(await linesOf(await rig.send('xandr-devices'))).toEqual({
        'xandr-devices.update.txt': ['77:p1,1440,1', `${upper}:p1,1440,1^3`, `${android}:p1,1440,1^8`].sort(),
      });
    });

    test('who asks for advertising ids of any platform gets them all, as they were', async () => {
      await destination('any', { kind: 'csv', identifiers: ['ifa'], segments });
      const { 'any.update.csv': lines } = await linesOf(await rig.send('any'));
      expect(lines?.slice(0, -1)).toEqual(ids.map((id) => `p1,add,ifa,${id}`));
    });

    test('where a source says another platform later, that one counts, and the first is taken back', async () => {
      await rig.identify('crm', [[['ifa', android, 'iPadOS']]]);
      expect(await linesOf(await rig.send('yandex-devices'))).toEqual({
        'yandex-devices.phones.add.csv': [android.toUpperCase()],
        'yandex-devices.phones.remove.csv': [android],
      });
    });

    test('a list is never of devices and contacts', async () => {
      for (const identifiers of [['idfa', 'phone_yandex'], ['ifa']]) {
        const mixed = { advertiser: 'shop', name: 'x', kind: 'yandex_audience', identifiers, segments };
        const refused = await api.call('PUT', '/v1/destinations/mixed', mixed);
        expect(refused.json()).toMatchObject({ errors: [{ pointer: '/identifiers' }] });
      }
    });
  });

  test('of CSV hold no formulas', async () => {
    await destination('table', { kind: 'csv', identifiers: ['cookie', 'ifa'], segments: [{ segment: 'buyers' }] });
    const { 'table.update.csv': text } = await rig.files(await rig.send('table'));
    expect(text).toBe(
      ['segment,operation,kind,value', `buyers,add,ifa,${IFA[1]}`, "buyers,add,cookie,'=cmd|calc", ''].join('\n'),
    );
    for (const value of ['=1', '+1', '-1', '@x', '\tx']) expect(cell(value).replace('"', '').startsWith("'"), value).toBe(true);
    expect(cell('a"b,c')).toBe('"a""b,c"');
  });

  test('of Parquet are read by ClickHouse', async () => {
    await destination('columns', { kind: 'parquet', identifiers: ['cookie', 'ifa'] });
    const record = await rig.send('columns');
    const path = join(api.deps.uploads, 'exports', record.id, record.files[0]?.name ?? '');
    const text = `${path}.csv`;
    await api.deps.warehouse.parquetToCsv(path, text);
    const [header, ...lines] = (await readFile(text, 'utf8')).trim().replaceAll('"', '').split('\n');
    expect(header).toBe('segment,operation,kind,value');
    expect(lines.sort()).toEqual(['buyers,add,cookie,=cmd|calc', `buyers,add,ifa,${IFA[1]}`]);
  });

  test('wait until they are fetched, and only then are what the next is compared with', async () => {
    const again = await rig.send('table');
    expect(again.segments).toMatchObject([{ added: 2 }]);
    await rig.fetchAll(again);
    const third = await rig.send('table');
    expect(third).toMatchObject({ state: 'delivered', files: [], segments: [{ added: 0, removed: 0, held: 2 }] });
    const [stale] = (
      await api.ok<{ data: { id: string; state: string }[] }>('GET', '/v1/destinations/table/exports?limit=9')
    ).data.filter(({ state }) => state === 'superseded');
    expect((await api.call('GET', `/v1/exports/${stale?.id}/file`)).statusCode).toBe(409);
  });
});

describe('deltas', () => {
  const out = { kind: 'csv', identifiers: ['email_meta'], delivery: { to: 'folder', folder: 'partner' } };
  const lines = async (record: Awaited<ReturnType<SendRig['send']>>) => body(Object.values(await rig.files(record))[0]);
  const mail = (op: string, address: string) => `vips,${op},email_meta,${sha256(address)}`;
  const FOUR = ['a@v.example', 'b@v.example', 'c@v.example', 'd@v.example'].map((address) => ['email', address] as const);
  const keyOf = (address: string) => createKeyring(api.deps.pepper).keyOf('email', address) as string;

  beforeAll(async () => {
    await rig.identify(
      'crm',
      FOUR.map((one) => [one]),
    );
    await rig.members('vips', FOUR.slice(0, 3));
    await destination('partner', { ...out, segments: [{ segment: 'vips' }] });
  });

  test('say who entered and who left since the last delivery, and nobody twice', async () => {
    const first = await rig.send('partner');
    expect(first).toMatchObject({ state: 'delivered', number: 1 });
    expect(await lines(first)).toEqual(['a@v.example', 'b@v.example', 'c@v.example'].map((a) => mail('add', a)).sort());
    const folder = join(api.deps.uploads, 'outbox', 'partner');
    expect(sha256(await readFile(join(folder, first.files[0]?.name ?? ''), 'utf8'))).toBe(first.files[0]?.sha256);
    await rig.members('vips', FOUR.slice(1));
    const second = await rig.send('partner');
    expect(await lines(second)).toEqual([mail('add', 'd@v.example'), mail('remove', 'a@v.example')].sort());
    // Run once more, as after a death: nothing is sent anew.
    expect((await rig.run(second.id)).attempts).toEqual(second.attempts);
    expect((await rig.send('partner')).files).toEqual([]);
    expect((await readdir(folder)).length).toBe(2);
  });

  test('a delivery again has the same file', async () => {
    const { data } = await api.ok<{ data: { id: string }[] }>('GET', '/v1/destinations/partner/exports?limit=1');
    await rig.members('vips', FOUR.slice(0, 2));
    const record = await rig.send('partner');
    const again = await api.ok<{ id: string }>('POST', `/v1/exports/${record.id}/redeliver`);
    expect((await rig.run(again.id)).files).toEqual(record.files);
    expect((await api.call('POST', `/v1/exports/${data[0]?.id}/redeliver`)).statusCode).toBe(409);
  });

  test('who opts out, withdraws or is erased is removed with the next, though no segment changed', {
    timeout: 180_000,
  }, async () => {
    await rig.members('vips', FOUR);
    await rig.send('partner');
    await optOut(api.deps, [keyOf('a@v.example')]);
    expect(await lines(await rig.send('partner'))).toEqual([mail('remove', 'a@v.example')]);
    await optIn(api.deps, [keyOf('a@v.example')]);
    expect(await lines(await rig.send('partner'))).toEqual([mail('add', 'a@v.example')]);
    const word = { identifiers: [{ kind: 'email', value: 'b@v.example' }], purposes: ['personalised_ads'], status: 'withdrawn' };
    await api.ok('POST', '/v1/consents', { ...word, source: 'crm' });
    expect(await lines(await rig.send('partner'))).toEqual([mail('remove', 'b@v.example')]);
    const key = keyOf('c@v.example');
    const [person] = await api.deps.warehouse.query<{ profile: number }>({
      sql: 'SELECT profile FROM identities FINAL WHERE identifier = {key:UUID}',
      params: { key },
    });
    const { profile } = person as { profile: number };
    const asked = await api.ok<{ id: string }>('POST', '/v1/erasures', {
      identifiers: [{ kind: 'email', value: 'c@v.example' }],
    });
    const hash = sha256('c@v.example');
    const naming = async () => {
      const paths = await readdir(api.deps.uploads, { recursive: true, withFileTypes: true });
      const texts = paths.flatMap((path) => (path.isFile() ? [readFile(join(path.parentPath, path.name), 'utf8')] : []));
      return (await Promise.all(texts)).filter((text) => text.includes(hash)).length;
    };
    const before = await naming();
    expect(before).toBeGreaterThan(0);
    const receipt = await erase(api.deps, () => createIdentity(api.deps).fold(), asked.id, STEPS);
    expect(receipt.erased['sealed']).toBeGreaterThan(0);
    expect(receipt.proof.found).toEqual([]);
    // No file names them any more, and those that do not are still there.
    expect([receipt.erased['export files'], await naming()]).toEqual([before, 0]);
    expect(receipt.proof.exportFiles).toBeGreaterThan(0);
    expect(await lines(await rig.send('partner'))).toEqual([mail('remove', 'c@v.example')]);
    const [left] = await api.deps.warehouse.query<{ n: string }>({
      sql: 'SELECT count() AS n FROM sent WHERE person = {profile:UInt32} AND destination = {id:String}',
      params: { profile, id: 'partner' },
    });
    expect(left?.n).toBe('0');
    // The file by which the destination learns of it names them for less than a day; the one in its outbox is the destination's.
    expect(await naming()).toBe(2);
    expect(await dropRemovals(api.deps, Date.now() + 21 * HOUR_MS)).toBe(0);
    expect(await dropRemovals(api.deps, Date.now() + 23 * HOUR_MS)).toBeGreaterThan(0);
    expect(await naming()).toBe(1);
  });

  test('a removal that nobody fetched within a day is in the next export again', async () => {
    const out = { kind: 'csv', identifiers: ['email_meta'], delivery: { to: 'download' } };
    await destination('fetching', { ...out, segments: [{ segment: 'vips' }] });
    await rig.fetchAll(await rig.send('fetching'));
    await optOut(api.deps, [keyOf('a@v.example')]);
    const removal = await rig.send('fetching');
    expect(removal).toMatchObject({ state: 'ready', segments: [{ removed: 1 }] });
    await dropRemovals(api.deps, Date.now() + 23 * HOUR_MS);
    const error = expect.stringContaining('within a day');
    expect(await api.ok('GET', `/v1/exports/${removal.id}`)).toMatchObject({ state: 'superseded', error });
    expect((await rig.send('fetching')).segments).toMatchObject([{ removed: 1 }]);
    await optIn(api.deps, [keyOf('a@v.example')]);
  });

  test('whom a destination was told to remove is forgotten by the day, and whom it holds is not', async () => {
    const known = async () => {
      const sql = 'SELECT uniqExact(identifier) AS n FROM sent WHERE destination = {id:String}';
      const [row] = await api.deps.warehouse.query<{ n: string }>({ sql, params: { id: 'partner' } });
      return Number(row?.n);
    };
    const { segments } = await rig.send('partner');
    const held = segments[0]?.held as number;
    const before = await known();
    expect(before).toBeGreaterThan(held);
    // A death in the middle leaves the day to be done, and another process that comes meanwhile does nothing.
    const { warehouse, redis } = api.deps;
    const command = () => Promise.reject(new Error('cut off'));
    await expect(forgetDaily({ redis, warehouse: { ...warehouse, command } })).rejects.toThrow('cut off');
    await forgetDaily(api.deps);
    expect([await known(), await redis.exists(FORGOTTEN_KEY)]).toEqual([before, 0]);
    await redis.del(FORGETTING_KEY);
    await forgetDaily(api.deps);
    expect([await known(), await redis.exists(FORGOTTEN_KEY)]).toEqual([held, 1]);
    expect((await rig.send('partner')).segments).toMatchObject([{ segment: 'vips', added: 0, removed: 0, held }]);
    const parts = await api.deps.warehouse.query<{ n: string }>({
      sql: "SELECT count() AS n FROM system.parts WHERE table = 'sent' AND active AND has_lightweight_delete",
    });
    expect(parts).toEqual([{ n: '0' }]);
  });

  test('a paused destination adds nobody, and gets all that it missed when it is active again', async () => {
    await api.ok('PATCH', '/v1/destinations/partner', { status: 'paused' }, MERGE);
    await rig.identify('crm', [[['email', 'e@v.example']]]);
    await rig.members('vips', [
      ['email', 'e@v.example'],
      ['email', 'd@v.example'],
    ]);
    expect(await lines(await rig.send('partner'))).toEqual([mail('remove', 'a@v.example')]);
    await api.ok('PATCH', '/v1/destinations/partner', { status: 'active' }, MERGE);
    expect(await lines(await rig.send('partner'))).toEqual([mail('add', 'e@v.example')]);
  });

  test('a contract that ends takes its people back, and a segment below its minimum gets nobody new', async () => {
    await api.ok('PATCH', '/v1/segments/vips', { minimumSize: 50 }, MERGE);
    await rig.identify('crm', [[['email', 'f@v.example']]]);
    await rig.members('vips', [
      ['email', 'f@v.example'],
      ['email', 'd@v.example'],
      ['email', 'e@v.example'],
    ]);
    const small = await rig.send('partner');
    expect(small.segments).toMatchObject([
      { state: 'held', added: 0, removed: 0, held: 2, reasons: [{ code: 'below_minimum' }] },
    ]);
    await api.ok('PATCH', '/v1/segments/vips', { minimumSize: 1 }, MERGE);
    await api.ok('PATCH', '/v1/sources/crm', { destinations: ['google_customer_match'] }, MERGE);
    const ended = await rig.send('partner');
    expect(await lines(ended)).toEqual(['d@v.example', 'e@v.example'].map((address) => mail('remove', address)).sort());
    await api.ok('PATCH', '/v1/sources/crm', { destinations: ['google_customer_match', 'csv'] }, MERGE);
  });

  test('a destination that holds people cannot be deleted before they are taken out of it', async () => {
    await rig.send('partner');
    const refused = await api.call('DELETE', '/v1/destinations/partner', undefined, { headers: { 'if-match': '*' } });
    expect([refused.statusCode, refused.json().code]).toEqual([409, 'in_use']);
    await api.ok('PATCH', '/v1/destinations/partner', { segments: [] }, MERGE);
    expect((await rig.send('partner')).segments).toMatchObject([{ segment: 'vips', removed: 3, held: 0 }]);
    const deleted = await api.call('DELETE', '/v1/destinations/partner', undefined, { headers: { 'if-match': '*' } });
    expect(deleted.statusCode).toBe(204);
  });
});

describe('guard rails', () => {
  test('a segment of which few can be named there is not sent, however many are in it', async () => {
    await api.ok('PATCH', '/v1/segments/few', { minimumSize: 3 }, MERGE);
    await rig.members('few', [ANNA, JANE, ['cookie', 'private']]);
    await destination('few', { kind: 'google_customer_match', segments: [{ segment: 'few' }] });
    expect((await rig.send('few')).segments).toMatchObject([
      { state: 'held', members: 3, added: 0, held: 0, reasons: [{ code: 'below_minimum' }] },
    ]);
  });

  test('a segment that stands on a source that may not be sent there is not sent', async () => {
    await api.ok('PUT', '/v1/segments/standing', {
      advertiser: 'shop',
      name: 'S',
      rule: { attribute: { name: 'met' } },
      minimumSize: 1,
    });
    await rig.members('standing', [ANNA, JANE]);
    await destination('standing', { kind: 'google_customer_match', segments: [{ segment: 'standing' }] });
    const { segments } = await rig.send('standing');
    expect(segments).toMatchObject([{ state: 'held', added: 0, reasons: [{ code: 'terms' }] }]);
    expect(segments[0]?.reasons[0]?.message).toContain('private');
  });

  test('a sensitive segment is refused as it is listed', async () => {
    await api.ok('PUT', '/v1/segments/ill', { advertiser: 'shop', name: 'Diabetes', rule: { purchases: {} } });
    const refused = await api.call('PUT', '/v1/destinations/ill', {
      ...{ advertiser: 'shop', name: 'Ill', kind: 'csv', segments: [{ segment: 'ill' }] },
    });
    expect(refused.json()).toMatchObject({ errors: [{ pointer: '/segments/0/segment', code: 'sensitive_segment' }] });
  });

  test('each use is written down', async () => {
    const { data } = await api.ok<{ data: { use: string; id: string; people: number }[] }>('GET', '/v1/segments/buyers/uses');
    expect(data.filter(({ use }) => use === 'export').map(({ id }) => id)).toContain('google');
    const log = await api.ok<{ data: { action: string }[] }>('GET', '/v1/audit-log?kind=segments&id=buyers');
    expect(log.data.map(({ action }) => action)).toContain('useSegment');
  });
});

describe('the rest', () => {
  test('files are put to a store that is compatible with S3, signed with the digest of their content', async () => {
    const puts: { url: string; headers: IncomingHttpHeaders; body: string }[] = [];
    const store = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        puts.push({ url: `${request.method} ${request.url}`, headers: request.headers, body: Buffer.concat(chunks).toString() });
        response.end();
      });
    });
    await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve));
    Object.assign(api.deps, { fetchInside: true });
    const endpoint = `http://127.0.0.1:${(store.address() as AddressInfo).port}`;
    const delivery = { to: 's3', url: 's3://bucket/in/', endpoint, accessKeyId: 'AKID' };
    const out = { kind: 'csv', identifiers: ['ifa'], delivery };
    const refused = await api.call('PUT', '/v1/destinations/bucket', { advertiser: 'shop', name: 'B', segments: [], ...out });
    expect(refused.json()).toMatchObject({ errors: [{ pointer: '/accessKeySecret', code: 'required' }] });
    await destination('bucket', { ...out, accessKeySecret: 'secret' });
    await rig.members('buyers', [ANNA]);
    const record = await rig.send('bucket');
    store.close();
    Object.assign(api.deps, { fetchInside: false });
    expect(record.state).toBe('delivered');
    const [put] = puts;
    expect(put?.url).toBe('PUT /bucket/in/bucket.1.update.csv');
    expect(put?.headers['x-amz-content-sha256']).toBe(sha256(put?.body ?? ''));
    expect(put?.headers['authorization']).toMatch(/^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/us-east-1\/s3\/aws4_request/);
    expect(put?.body).toContain(`buyers,add,ifa,${IFA[1]}`);
    await rig.members('buyers', [ANNA, JANE, ['cookie', '=cmd|calc'], ['email_google', sha256('fourth@example.com')]]);
  });

  test('what the destination says of an export becomes its match rate', async () => {
    const { data } = await api.ok<{ data: { id: string }[] }>('GET', '/v1/destinations/google/exports');
    const id = data[0]?.id;
    const wrong = await api.call('POST', `/v1/exports/${id}/result`, { received: 5, matched: 5, rejected: 1 });
    expect(wrong.statusCode).toBe(422);
    await api.ok('POST', `/v1/exports/${id}/result`, { received: 5, matched: 3, rejected: 1 });
    expect(await api.ok('GET', '/v1/destinations/google')).toMatchObject({ matchRate: { received: 5, matched: 3, rate: 0.6 } });
    const kinds = [
      { kind: 'email_google', received: 4, matched: 3 },
      { kind: 'phone_google', received: 1, matched: 0, rejected: 1 },
    ];
    const errors = [{ code: 'INVALID_PHONE', count: 1 }];
    await api.ok('POST', `/v1/exports/${id}/result`, { kinds, errors });
    expect(await api.ok('GET', '/v1/destinations/google')).toMatchObject({
      matchRate: {
        ...{ received: 5, matched: 3, rejected: 1, rate: 0.6, errors },
        kinds: [
          { kind: 'email_google', rate: 0.75 },
          { kind: 'phone_google', rate: 0 },
        ],
      },
    });
    const userDataIngestionStatus = { recordCount: '5', uploadMatchRateRange: 'MATCH_RATE_RANGE_41_TO_50' };
    const status = { requestStatus: 'SUCCESS', audienceMembersIngestionStatus: { userDataIngestionStatus } };
    await api.ok('POST', `/v1/exports/${id}/result`, { answers: [{ requestStatusPerDestination: [status] }] });
    expect(await api.ok('GET', '/v1/destinations/google')).toMatchObject({
      matchRate: { received: 5, matched: null, rate: null, range: { from: 0.41, to: 0.5 } },
    });
    for (const none of [
      {},
      { answers: [] },
      { answers: [{ requestStatusPerDestination: [{ ...status, requestStatus: 'PROCESSING' }] }] },
      { received: 5 },
      { kinds: [{ kind: 'ifa', received: 1, matched: 2 }] },
      { batch_segment_upload_job: {} },
    ])
      expect((await api.call('POST', `/v1/exports/${id}/result`, none)).statusCode).toBe(422);
  });

  test('what Xandr says of an upload is read as it comes', async () => {
    const { data } = await api.ok<{ data: { id: string }[] }>('GET', '/v1/destinations/xandr/exports');
    const job = { phase: 'completed', num_valid: 90, num_invalid_user: 8, num_invalid_format: 2, num_other_error: 0 };
    const told = await api.ok('POST', `/v1/exports/${data[0]?.id}/result`, { batch_segment_upload_job: job });
    expect(told).toMatchObject({
      result: {
        ...{ received: 100, matched: 90, rejected: 10 },
        errors: [
          { code: 'num_invalid_user', count: 8 },
          { code: 'num_invalid_format', count: 2 },
        ],
      },
    });
  });

  test('a schedule asks for what is due: a new version, a withdrawal, and nothing else', async () => {
    await destination('scheduled', {
      kind: 'google_customer_match',
      schedule: 'refresh',
      delivery: { to: 'folder', folder: 'g' },
    });
    const due = await queueDue(api.deps);
    const [first] = due;
    expect(await api.ok('GET', `/v1/exports/${first}`)).toMatchObject({ destination: 'scheduled', state: 'queued' });
    expect(due).toHaveLength(1);
    // One that waits is not asked for twice.
    expect(await queueDue(api.deps)).toEqual([]);
    expect(await rig.run(first as string)).toMatchObject({ state: 'delivered' });
    expect(await queueDue(api.deps)).toEqual([]);
    await rig.members('buyers', [ANNA, JANE]);
    const [second] = await queueDue(api.deps);
    expect(await rig.run(second as string)).toMatchObject({ segments: [{ removed: 2 }] });
    await optOut(api.deps, [createKeyring(api.deps.pepper).keyOf('email', ANNA[1]) as string]);
    const [third] = await queueDue(api.deps);
    expect(await rig.run(third as string)).toMatchObject({ segments: [{ removed: 2, held: 1 }] });
    expect(await queueDue(api.deps)).toEqual([]);
    // Of whom it was never told it has not to be told that they withdrew, nor of who agrees to something.
    await optOut(api.deps, [createKeyring(api.deps.pepper).keyOf('email', 'secret@example.com') as string]);
    const proof = { document: 'form 7', version: '2026-01', channel: 'till' };
    const word = { identifiers: [{ kind: JANE[0], value: JANE[1] }], purposes: ['profiles'], source: 'crm' };
    await api.ok('POST', '/v1/consents', { ...word, status: 'granted', proof });
    expect(await queueDue(api.deps)).toEqual([]);
    // By any of their identifiers.
    await optOut(api.deps, [createKeyring(api.deps.pepper).keyOf('exchange', 'xandr:5727816213491965430') as string]);
    const [fourth] = await queueDue(api.deps);
    const record = await readExport(api.deps.warehouse, fourth as string);
    const dead = { ...(record as Export), state: 'dead' } as const;
    await saveExport(api.deps.warehouse, dead, Date.now());
    // An address that was away for all tries is asked again an hour later: somebody is to be removed there.
    expect(await queueDue(api.deps)).toEqual([]);
    await saveExport(api.deps.warehouse, { ...dead, createdAt: new Date(Date.now() - 2 * HOUR_MS).toISOString() }, Date.now());
    const [fifth] = await queueDue(api.deps);
    expect(await rig.run(fifth as string)).toMatchObject({ state: 'delivered', segments: [{ removed: 1, held: 0 }] });
  }, 120_000);

  test('secrets are kept sealed and shown once', async () => {
    const made = await destination('hook', { kind: 'webhook', delivery: { to: 'url', url: 'https://crm.example/hook' } });
    expect(made.signingSecret).toMatch(/^whsec_/);
    const read = await api.ok('GET', '/v1/destinations/hook');
    expect(read).toMatchObject({ hasSigningSecret: true });
    expect(JSON.stringify(read)).not.toContain('whsec_');
    const kept = api.deps.things.get('destination', 'hook')?.body.sealedSigningSecret;
    await api.ok('PATCH', '/v1/destinations/hook', { name: 'Renamed' }, MERGE);
    expect(api.deps.things.get('destination', 'hook')?.body.sealedSigningSecret).toBe(kept);
    const inside = await api.call('PUT', '/v1/destinations/inside', {
      ...{ advertiser: 'shop', name: 'I', kind: 'webhook', segments: [], delivery: { to: 'url', url: 'http://127.0.0.1/x' } },
    });
    expect(inside.json()).toMatchObject({ errors: [{ pointer: '/delivery/url', code: 'address_refused' }] });
  });
});
