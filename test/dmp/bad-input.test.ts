import type { IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createApi } from '../../dmp/http/api.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  await api.ok('POST', '/v1/advertisers', { id: 'adv_a', name: 'A', domains: ['a.example'] });
});
afterAll(() => api.stop());

const PATHS = [
  'advertisers',
  'stores',
  'store-groups',
  'geofences',
  'sources',
  'exchanges',
  'campaigns',
  'line-items',
  'creatives',
  'segments',
  'api-keys',
  'segments:estimate',
  'imports',
];
const RUNS = { numRuns: 150 };
const any = { 'if-match': '*' };

/** Bodies that are nearly right reach further than noise does. */
const MEMBERS = fc.constantFrom(
  'id',
  'advertiser',
  'name',
  'lat',
  'lon',
  'fence',
  'hours',
  'timeZone',
  'stores',
  'campaign',
  'targeting',
  'rule',
  'holdout',
  'start',
  'end',
  'budget',
  'bid',
  'caps',
  'creatives',
  'type',
  'rings',
  'radius',
  'html',
  'landing',
  'domains',
  'all',
  'segment',
  '__proto__',
  'constructor',
);
const VALUES = fc.oneof(
  fc.constantFrom(
    'adv_a',
    'circle',
    'polygon',
    'UTC',
    '2026-01-01T00:00:00Z',
    '',
    null,
    0,
    -1,
    1e308,
    [],
    {},
    true,
    '${STORE_NAME}',
    [[[0, 0]]],
  ),
  fc.jsonValue({ maxDepth: 3 }),
);
const BODIES = fc.oneof(fc.dictionary(MEMBERS, VALUES, { maxKeys: 12 }), fc.jsonValue({ maxDepth: 4 }));

const expectAnswer = (response: { statusCode: number; headers: object; body: string }) => {
  expect(response.statusCode, response.body).toBeLessThan(500);
  if (response.statusCode < 400) return;
  expect(response.headers).toMatchObject({ 'content-type': 'application/problem+json' });
  expect(JSON.parse(response.body)).toMatchObject({
    code: expect.any(String),
    requestId: expect.any(String),
    errors: expect.any(Array),
  });
};

test('any JSON on any noun gets a clear answer', async () => {
  const call = fc.tuple(fc.constantFrom(...PATHS), fc.constantFrom('POST', 'PUT', 'PATCH' as const), BODIES);
  await fc.assert(
    fc.asyncProperty(call, async ([path, method, body]) => {
      const url = method === 'POST' ? `/v1/${path}` : `/v1/${path}/adv_a`;
      const headers = { ...any, 'content-type': 'application/json' };
      expectAnswer(await api.call(method, url, JSON.stringify(body), { headers }));
    }),
    RUNS,
  );
});

test('any bytes on any noun get a clear answer', async () => {
  const type = fc.constantFrom('application/json', 'application/merge-patch+json', 'text/csv', 'nonsense');
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PATHS), type, fc.uint8Array({ maxLength: 200 }), async (path, contentType, bytes) => {
      const headers = { ...any, 'content-type': contentType };
      expectAnswer(await api.call('POST', `/v1/${path}`, Buffer.from(bytes), { headers }));
    }),
    RUNS,
  );
});

test('any query and any id get a clear answer', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PATHS), text, text, async (path, id, cursor) => {
      const inUrl = encodeURIComponent;
      expectAnswer(await api.call('GET', `/v1/${path}/${inUrl(id)}`));
      expectAnswer(await api.call('GET', `/v1/${path}?cursor=${inUrl(cursor)}&limit=${inUrl(id)}`));
    }),
    RUNS,
  );
});

describe('what a hostile caller would try', () => {
  const nested = (levels: number, open = '{"a":', close = '}') => `${open.repeat(levels)}1${close.repeat(levels)}`;
  const cursor = (value: unknown) => `cursor=${Buffer.from(JSON.stringify(value)).toString('base64url')}`;
  const rule = { attribute: { name: 'age' } };
  const granted = {
    identifiers: [{ kind: 'cookie', value: 'c-1' }],
    purposes: ['ads'],
    status: 'granted',
    proof: { document: 'd' },
  };
  const csv = { type: 'product', format: 'csv', mapping: { columns: { product: 'sku' } } };

  beforeAll(async () => {
    await api.ok('POST', '/v1/segments', { id: 'seg_1', name: 'one', rule });
  });

  const answerTo = async (method: 'GET' | 'POST' | 'PUT' | 'PATCH', url: string, body?: object | string) => {
    const headers = { ...any, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const response = await api.call(method, url, typeof body === 'object' ? JSON.stringify(body) : body, { headers });
    expectAnswer(response);
    const { code, errors } = response.json() as { code: string; errors: { pointer: string; code: string }[] };
    return [response.statusCode, code, ...errors.map((fault) => `${fault.pointer} ${fault.code}`)].join(' ');
  };

  test.each([
    ['POST', '/v1/segments'],
    ['PATCH', '/v1/segments/seg_1'],
    ['POST', '/v1/segments:estimate'],
    ['POST', '/v1/quarantine/replay'],
  ] as const)('%s %s of a body that is nested ten thousand levels deep', async (method, url) => {
    for (const body of [nested(10_000), nested(10_000, '[', ']'), `{"patch":${nested(10_000)},"rule":${nested(10_000)}}`])
      expect(await answerTo(method, url, body)).toBe('400 malformed');
  });

  test('a rule of 200 levels is told to be too deep, wherever brackets stand in texts', async () => {
    const deep = JSON.parse(nested(200, '{"not":', '}')) as object;
    expect(await answerTo('POST', '/v1/segments', { name: '{"[\\'.repeat(2_000).slice(0, 200), rule: deep })).toMatch(
      /^422 validation .* rule_too_deep$/,
    );
  });

  test('half a surrogate pair is told where it stands', async () => {
    const half = '\ud800';
    expect(await answerTo('POST', '/v1/segments', { name: `x${half}`, rule })).toBe('422 validation /name bad_encoding');
    expect(await answerTo('POST', '/v1/segments', { name: 'x', rule: { attribute: { name: 'a', in: ['b', half] } } })).toBe(
      '422 validation /rule/attribute/in/1 bad_encoding',
    );
    expect(await answerTo('POST', '/v1/segments', { name: 'x', rule, [half]: 1 })).toBe('422 validation  bad_encoding');
    const proof = { document: 'form', version: half };
    expect(await answerTo('POST', '/v1/consents', { ...granted, proof })).toBe('422 validation /proof/version bad_encoding');
    const whole = '{"id":"seg_2","name":"\\ud83d\\udca5","rule":{"attribute":{"name":"age"}}}';
    expect((await api.call('POST', '/v1/segments', whole, { headers: { 'content-type': 'application/json' } })).json().name).toBe(
      '💥',
    );
    await api.ok('POST', '/v1/segments', { id: 'seg_3', name: 'written \\ud800', rule });
    expect(await api.ok('GET', '/v1/segments/seg_3')).toMatchObject({ name: 'written \\ud800' });
  });

  test.each(['2016-12-31T23:59:60Z', '2026-01-01T00:00:00+01', '2026-02-30T00:00:00Z', '2026-01-01', '', 'now'])(
    'the time %j, which is none that can be counted with',
    async (time) => {
      const at = encodeURIComponent(time);
      expect(await answerTo('POST', '/v1/consents', { ...granted, at: time })).toBe('422 validation /consents/0/at format');
      expect(await answerTo('POST', '/v1/consents', { ...granted, expires: time })).toBe(
        '422 validation /consents/0/expires format',
      );
      expect(await answerTo('PUT', '/v1/rates', { at: time, perUsd: { EUR: 1 } })).toBe('422 validation /at format');
      expect(await answerTo('GET', `/v1/segments/seg_1/runs?before=${at}`)).toBe('400 validation ?before format');
      expect(await answerTo('GET', `/v1/audit-log?from=${at}`)).toBe('400 validation ?from format');
    },
  );

  test.each([
    ['/v1/quarantine', ['9999-99-99 99:99:99.999', '0'.repeat(32)]],
    ['/v1/quarantine', ['0001-01-01 00:00:00.000', '0'.repeat(32)]],
    ['/v1/quarantine', [['2026-01-01 00:00:00.000'], ['0'.repeat(32)]]],
    ['/v1/audit-log', ['9999-99-99 99:99:99.999', 'segment', 'seg_1', 1]],
    ['/v1/audit-log', ['2026-01-01 00:00:00.000', 'segment', 'seg_1', -1]],
    ['/v1/audit-log', ['2026-01-01 00:00:00.000', 'segment', 'seg_1', 1e15]],
    ['/v1/segments', ['2026-01-01', 'seg_1']],
  ])('a cursor of %s that nobody was given: %j', async (url, value) => {
    expect(await answerTo('GET', `${url}?${cursor(value)}`)).toBe('400 bad_cursor ?cursor bad_cursor');
  });

  test.each(['"', '\n', '\r', '\u{1f4a5}', 'ab', ''])('the delimiter %j', async (delimiter) => {
    expect(await answerTo('POST', '/v1/imports', { ...csv, delimiter })).toBe('422 validation /delimiter pattern');
  });

  test('a file of a source whose contract ended since the import was made, and one that the key may not bring any more', async () => {
    const scopes = { scopes: ['imports:write'] };
    const { key } = await api.ok<{ key: string }>('POST', '/v1/api-keys', { name: 'A', advertiser: 'adv_a', ...scopes });
    for (const [source, end, code] of [
      ['ended', {}, 'source_revoked'],
      ['taken', { advertiser: 'adv_a' }, 'unknown_source'],
    ] as const) {
      await api.ok('POST', '/v1/sources', { id: source, name: source, party: '2p' });
      const { id } = await api.ok<{ id: string }>('POST', '/v1/imports', { ...csv, source }, { key });
      await api.ok('POST', `/v1/sources/${source}:revoke`, end);
      const sent = await api.call('PUT', `/v1/imports/${id}/file`, 'sku\n1\n', { key, headers: { 'content-type': 'text/csv' } });
      expect([sent.statusCode, sent.json().errors]).toMatchObject([422, [{ pointer: '/source', code }]]);
      expect(await api.ok('GET', `/v1/imports/${id}`)).toMatchObject({ file: null, job: null });
    }
  });

  test('a version of a segment beyond all numbers', async () => {
    expect(await answerTo('POST', '/v1/segments/seg_1/restore', { version: 5e9 })).toBe('422 validation /version maximum');
  });
});

test('a name is one line with something to be seen in it', async () => {
  const put = (name: string) => api.call('PUT', '/v1/segments/named', { name, rule: { purchases: {} } }, { headers: any });
  for (const name of [' ', '\t', 'two\nlines', 'zero\u0000', '\u2028', 'a\u0085b']) {
    const answer = await put(name);
    expect([answer.statusCode, answer.json().errors], JSON.stringify(name)).toEqual([
      422,
      [{ pointer: '/name', code: 'pattern', message: 'must be one line with something to be seen in it' }],
    ]);
  }
  for (const name of ['a', ' Молоко и хлеб ', 'Ünïcode 👩‍🍳 (2026), "quoted"'])
    expect((await put(name)).statusCode).toBeLessThan(300);
});

test('a body that gets on is waited for, and one that does not is cut off', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const everyMs = 30_000;
  const app = createApi(api.deps.log, 1_000_000, { everyMs, leastBytes: 1_000 });
  onTestFinished(() => app.close());
  const calls: IncomingMessage[] = [];
  app.addHook('onRequest', async (request) => void calls.push(request.raw));
  app.post('/take', async () => ({ taken: true }));
  app.post('/refuse', { onRequest: async (_, reply) => reply.code(401).send({}) }, async () => ({}));
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const open = async (path: string) => {
    const socket = connect(port, '127.0.0.1');
    const said = { text: '', isOver: false };
    socket.on('data', (chunk: Buffer) => {
      said.text += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      said.isOver = true;
    });
    const before = calls.length;
    socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 3000\r\n\r\n"`);
    await until(() => calls.length > before);
    const call = calls[before] as IncomingMessage;
    const bring = async (text: string): Promise<void> => {
      const bytes = call.socket.bytesRead;
      socket.write(text);
      await until(() => call.socket.bytesRead >= bytes + text.length);
    };
    return { said, bring };
  };
  const [gettingOn, standing, answered] = [await open('/take'), await open('/take'), await open('/refuse')];
  await until(() => answered.said.text.includes('401'));
  for (const one of [gettingOn, standing, answered]) await one.bring('a'.repeat(1_200));
  vi.advanceTimersByTime(everyMs);
  await gettingOn.bring('b'.repeat(1_200));
  await standing.bring('b');
  await answered.bring('b');
  vi.advanceTimersByTime(everyMs);
  await until(() => standing.said.isOver && answered.said.isOver);
  expect(standing.said.text).toContain('HTTP/1.1 408 Request Timeout');
  expect(standing.said.text).toContain('"code":"timeout"');
  expect(answered.said.text).not.toContain('408');
  await gettingOn.bring(`${'c'.repeat(598)}"`);
  await until(() => gettingOn.said.text.includes('"taken":true'));
});

/** On the clock of the event loop: others stand still here. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
