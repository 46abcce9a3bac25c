import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEdgeMemory } from '../../dmp/events/edge-memory.ts';
import { hashVariant, type IdentifierKind, keyIdentifier } from '../../proto/identifier.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

const at = '2026-11-20T10:00:00Z';
const keyOf = (kind: IdentifierKind, value: string, namespace?: string) =>
  keyIdentifier({ kind, value }, api.deps.pepper, namespace) as string;

async function send(source: string | null, ...identifiers: { kind: IdentifierKind; value: string }[]) {
  const url = source === null ? '/v1/events' : `/v1/events?source=${source}`;
  return api.ok<{ accepted: number; errors: { code: string }[] }>('POST', url, { type: 'identify', at, identifiers });
}

async function profileOf(identifier: string): Promise<number | undefined> {
  await createIdentity(api.deps).fold();
  const sql = 'SELECT profile FROM identities FINAL WHERE identifier = {identifier:UUID}';
  const [row] = await api.deps.warehouse.query<{ profile: number }>({ sql, params: { identifier } });
  return row?.profile;
}

test('the same card number of two retailers is two people, of two sources of one retailer it is one', async () => {
  await api.ok('POST', '/v1/sources', { id: 'birch', name: 'Birch', party: '1p' });
  await api.ok('POST', '/v1/sources', { id: 'oak', name: 'Oak', party: '2p' });
  await api.ok('POST', '/v1/sources', { id: 'birch-app', name: 'Birch app', party: '1p', namespace: 'birch' });
  const card = { kind: 'loyalty', value: '7001' } as const;
  await send('birch', card, { kind: 'cookie', value: 'b' });
  await send('oak', card, { kind: 'cookie', value: 'o' });
  await send('birch-app', card, { kind: 'cookie', value: 'a' });
  const [b, o, a] = [
    await profileOf(keyOf('cookie', 'b')),
    await profileOf(keyOf('cookie', 'o')),
    await profileOf(keyOf('cookie', 'a')),
  ];
  expect(b).toBeDefined();
  expect(a).toBe(b);
  expect(o).not.toBe(b);
  expect(await api.ok('GET', '/v1/sources/oak')).toMatchObject({ namespace: 'oak' });
});

test('a source from before there were namespaces keeps its keys, and so does what names no source', async () => {
  const old = { name: 'Old', party: '1p', timeZone: 'UTC', currency: 'USD' } as const;
  await api.deps.things.put('source', 'old', old, { actor: 'test' });
  await send('old', { kind: 'loyalty', value: '42' }, { kind: 'cookie', value: 'old' });
  await send(null, { kind: 'loyalty', value: '42' }, { kind: 'cookie', value: 'sourceless' });
  const profile = await profileOf(keyOf('loyalty', '42'));
  expect(profile).toBeDefined();
  expect(await profileOf(keyOf('cookie', 'old'))).toBe(profile);
  expect(await profileOf(keyOf('cookie', 'sourceless'))).toBe(profile);
  const etag = (await api.call('GET', '/v1/sources/old')).headers['etag'] as string;
  await api.ok(
    'PATCH',
    '/v1/sources/old',
    { name: 'Older' },
    { headers: { 'if-match': etag, 'content-type': 'application/merge-patch+json' } },
  );
  expect(await api.ok('GET', '/v1/sources/old')).toMatchObject({ name: 'Older', namespace: '' });
});

test('what a partner hashed is the person whose plain e-mail or phone comes later, or came before', async () => {
  const email = hashVariant('google', 'email', 'Jane.Saoirse+Work@googlemail.com')?.base64 as string;
  const phone = hashVariant('yandex', 'phone', '8 (999) 555-11-11')?.hex as string;
  await send(null, { kind: 'email_google', value: email }, { kind: 'cookie', value: 'partner-1' });
  await send(null, { kind: 'email', value: 'jane.saoirse+work@googlemail.com' }, { kind: 'loyalty', value: 'jane' });
  await send(null, { kind: 'phone', value: '+7 999 555-11-11' }, { kind: 'loyalty', value: 'jane' });
  await send(
    null,
    { kind: 'phone_yandex', value: phone.toUpperCase() },
    { kind: 'ifa', value: 'abcdef12-0000-4000-8000-0000000000aa' },
  );
  const jane = await profileOf(keyOf('loyalty', 'jane'));
  expect(jane).toBeDefined();
  expect(await profileOf(keyOf('cookie', 'partner-1'))).toBe(jane);
  expect(await profileOf(keyOf('ifa', 'abcdef12-0000-4000-8000-0000000000aa'))).toBe(jane);
});

test('a MAC address that a device made up is refused under a code of its own, beside others it is left out', async () => {
  const refused = await send(null, { kind: 'mac', value: 'da:a1:19:00:00:01' });
  expect(refused.errors).toMatchObject([{ code: 'mac_randomised' }]);
  expect(await send(null, { kind: 'mac', value: 'da:a1:19:00:00:01' }, { kind: 'cookie', value: 'm' })).toMatchObject({
    accepted: 1,
  });
  expect(await send(null, { kind: 'mac', value: '34:ab:95:00:11:22' })).toMatchObject({ accepted: 1 });
  expect((await send(null, { kind: 'mac', value: 'ff:ff:ff:ff:ff:ff' })).errors).toMatchObject([{ code: 'no_identifier' }]);
});

test('an edge is written again when it was seen before, a month after, and a week on', () => {
  const memory = createEdgeMemory();
  const ends = { a: 'a', kind_a: 'ifa', b: 'b', kind_b: 'ifa', source: 's' };
  const edge = (first_seen: string, confidence = 0.5) => ({ ...ends, first_seen, confidence });
  const now = Date.parse('2026-11-22T00:00:00Z');
  const takes = (time: string, when: number): boolean => {
    const unknown = memory.unknown([edge(time)], when);
    memory.remember(unknown, when);
    return unknown.length === 1;
  };
  expect(takes('2026-11-01T00:00:00.000Z', now)).toBe(true);
  expect(takes('2026-11-20T00:00:00.000Z', now)).toBe(false);
  expect(takes('2026-10-20T00:00:00.000Z', now)).toBe(true);
  expect(takes('2026-12-20T00:00:00.000Z', now)).toBe(true);
  expect(takes('2026-12-21T00:00:00.000Z', now)).toBe(false);
  expect(takes('2026-12-21T00:00:00.000Z', now + 8 * 86_400_000)).toBe(true);
  // Surer than before is new, less sure is not.
  expect(memory.unknown([edge('2026-12-21T00:00:00.000Z', 0.9)], now + 8 * 86_400_000)).toHaveLength(1);
  expect(memory.unknown([edge('2026-12-21T00:00:00.000Z', 0.2)], now + 8 * 86_400_000)).toHaveLength(0);
  const both = [edge('2026-12-23T00:00:00.000Z', 0.9), edge('2026-12-22T00:00:00.000Z', 0.7)];
  expect(createEdgeMemory().unknown(both, now)).toEqual([edge('2026-12-22T00:00:00.000Z', 0.9)]);
});
