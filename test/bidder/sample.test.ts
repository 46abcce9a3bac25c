import { expect, test } from 'vitest';
import { createRequestSample } from '../../bidder/debug/sample.ts';
import { strippedRequest } from '../../bidder/debug/strip.ts';
import { decodeRequest } from '../../bidder/openrtb/decode.ts';
import type { BidRequest } from '../../bidder/openrtb/request.ts';
import { type Permission, permissionOf } from '../../bidder/privacy.ts';

const IFA = '12345678-9abc-4def-8123-456789abcdef';
const full = {
  id: 'auction-7',
  at: 1,
  imp: [
    {
      id: '1',
      tagid: 't',
      bidfloor: 0.5,
      banner: { w: 300, h: 250, ext: { secret: 1 } },
      pmp: { deals: [{ id: 'd1', bidfloor: 2, ext: { who: 'x' } }] },
    },
  ],
  site: {
    domain: 'news.example',
    page: 'https://news.example/a?q=anna+lund#x',
    ref: 'https://search.example/?q=anna',
    publisher: { id: 'p', name: 'P' },
    ext: { u: 1 },
  },
  device: {
    ua: 'Mozilla/5.0 (Linux; Android 13) Chrome/120.0',
    ip: '203.0.113.7',
    ipv6: '2001:db8::1',
    ifa: IFA,
    didsha1: 'aa',
    dpidmd5: 'bb',
    macsha1: 'cc',
    os: 'Android',
    carrier: 'Elisa',
    geo: { lat: 40.758896, lon: -73.98513, type: 1, accuracy: 5, country: 'USA', city: 'New York', zip: '10036' },
    ext: { session: 'abc' },
  },
  user: {
    id: 'u-77',
    buyeruid: 'b-88',
    yob: 1980,
    gender: 'F',
    keywords: 'anna',
    customdata: 'zz',
    data: [{ name: 'dmp.example', segment: [{ id: '637', value: 'lund' }], ext: { segtax: 4, x: 1 } }],
    eids: [{ source: 'id5-sync.com', uids: [{ id: 'ID5-anna' }] }],
    consent: '',
  },
  regs: { us_privacy: '1YNN' },
  source: {
    tid: 'tid-1',
    schain: { ver: '1.0', complete: 1, nodes: [{ asi: 'ssp.example', sid: '1', hp: 1, rid: 'r', ext: { a: 1 } }] },
  },
  ext: { all: 'anna' },
};
const NAMES = /anna|lund|u-77|b-88|203\.0|2001:db8|12345678|auction-7|tid-1|"rid"|secret|session|"aa"|"bb"|"cc"|1980/i;

const decoded = (request: object): BidRequest => decodeRequest(Buffer.from(JSON.stringify(request))) as BidRequest;
const allowed = (request: object = full): Permission => permissionOf(decoded(request));

test('nothing that names or places a person is left, and what is sold is', () => {
  const stripped = strippedRequest(full, allowed(), 'rq_1') as typeof full;
  expect(JSON.stringify(stripped)).not.toMatch(NAMES);
  expect(stripped).toMatchObject({
    id: 'rq_1',
    imp: [{ id: '1', bidfloor: 0.5, banner: { w: 300, h: 250 }, pmp: { deals: [{ id: 'd1', bidfloor: 2 }] } }],
    site: { domain: 'news.example', page: 'https://news.example/a', publisher: { id: 'p' } },
    device: { os: 'Android', carrier: 'Elisa', geo: { lat: 40.76, lon: -73.99, type: 1, country: 'USA', city: 'New York' } },
    user: { eids: [{ source: 'id5-sync.com' }], data: [{ name: 'dmp.example', segment: [{ id: '637' }], ext: { segtax: 4 } }] },
    regs: { us_privacy: '1YNN' },
    source: { schain: { complete: 1, nodes: [{ asi: 'ssp.example', sid: '1', hp: 1 }] } },
  });
  expect(stripped.device.geo).not.toHaveProperty('accuracy');
});

test('the address of a page keeps neither who asked for it nor addresses in its path', () => {
  const pageOf = (page: string): unknown =>
    (strippedRequest({ ...full, site: { page } }, allowed(), 'x') as { site: { page?: string } }).site.page;
  expect(
    [
      'https://anna:secret@news.example/a',
      'https://news.example/u/anna.lund@mail.example/inbox',
      'https://news.example/anna%40mail.example;v=1/b',
      'https://news.example/a/b?q=anna#lund',
    ].map(pageOf),
  ).toEqual([
    'https://news.example/a',
    'https://news.example/u/removed/inbox',
    'https://news.example/removed',
    'https://news.example/a/b',
  ]);
});

test('the law is the same for what is left', () => {
  for (const change of [
    {},
    { regs: { us_privacy: '1YYN' } },
    { device: { ...full.device, lmt: 1 } },
    { device: { ...full.device, os: 'iOS' } },
  ]) {
    const request = { ...full, ...change };
    const before = allowed(request);
    expect(permissionOf(decoded(strippedRequest(request, before, 'x')))).toEqual(before);
  }
});

test('where the place or the person may not be kept, neither is kept roughly', () => {
  const request = { ...full, regs: { us_privacy: '1YYN' } };
  const stripped = JSON.stringify(strippedRequest(request, allowed(request), 'x'));
  expect(stripped).not.toMatch(/lat|lon|New York|10036|eids|637|ifa|uids/);
  expect(stripped).toContain('USA');
});

const live = (id: string, verdict: unknown = 'no_line_item') => {
  const request = { ...full, id };
  return {
    body: Buffer.from(JSON.stringify(request)),
    format: 'json' as const,
    exchange: 'x',
    request: decoded(request),
    permission: allowed(),
    verdict,
  };
};

test('each request of a window is as likely to be in the sample, which never grows', () => {
  let state = 1;
  const random = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const hits = new Array<number>(200).fill(0);
  for (let run = 0; run < 200; run++) {
    const sample = createRequestSample({ worker: `w${run}-`, size: 10, now: () => 0, random });
    const taken = new Map<string, number>();
    for (let at = 0; at < hits.length; at++)
      if (sample.wants()) {
        const known = new Set(sample.list().map(({ id }) => id));
        sample.take(live(`a${at}`));
        for (const { id } of sample.list()) if (!known.has(id)) taken.set(id, at);
      }
    expect(sample.list()).toHaveLength(10);
    for (const { id } of sample.list()) (hits[taken.get(id) as number] as number)++;
  }
  const early = hits.slice(0, 100).reduce((sum, count) => sum + count, 0);
  expect(early / 2_000).toBeGreaterThan(0.45);
  expect(early / 2_000).toBeLessThan(0.55);
});

test('what is older than two windows is gone, and the outcome is told when it is known', async () => {
  let now = 0;
  const sample = createRequestSample({ worker: 'w', size: 2, windowMs: 100, now: () => now });
  const offer = (verdict: unknown) => {
    if (sample.wants()) sample.take(live('a', verdict));
  };
  offer(Promise.resolve({ seatbid: [] }));
  offer('segment');
  await Promise.resolve();
  await Promise.resolve();
  expect(sample.list().map(({ outcome }) => outcome)).toEqual(['bid', 'segment']);
  now = 150;
  offer('deal');
  expect(sample.list()).toHaveLength(3);
  now = 250;
  expect(sample.list()).toHaveLength(1);
  now = 1_000;
  expect(sample.list()).toHaveLength(0);
});

test('a request that is too large, or none, is not taken', () => {
  const sample = createRequestSample({ worker: 'w' });
  sample.take({ ...live('a'), body: Buffer.alloc(70_000, 32) });
  sample.take({ ...live('a'), body: Buffer.from('[1') });
  expect(sample.list()).toEqual([]);
});
