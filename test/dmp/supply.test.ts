import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildSnapshot } from '../../dmp/snapshot/build.ts';
import { parseAdsTxt } from '../../dmp/supply/ads-txt.ts';
import { parseSellersJson } from '../../dmp/supply/sellers-json.ts';
import { coverOf } from '../../proto/fence.ts';
import { startApi, type TestApi } from '../support/api.ts';

const ADS_TXT = `\ufeff# ads.txt of news.example
contact=ads@news.example
OwnerDomain = news.example
SSP.example, pub-1 , direct, f08c47fec0942fa0 # our own account
exchange.example,seat-9,RESELLER;ext=1

not a record
ssp.example,, DIRECT
ssp.example, pub 1, DIRECT
ssp.example, pub-1, FRIEND
futureVariable=1`;

describe('an ads.txt', () => {
  it('is read line by line, and says which lines cannot be', () => {
    const { records, variables, faults } = parseAdsTxt(ADS_TXT.replaceAll('\n', '\r\n'));
    expect(records).toEqual([
      { system: 'ssp.example', account: 'pub-1', relationship: 'DIRECT', certification: 'f08c47fec0942fa0' },
      { system: 'exchange.example', account: 'seat-9', relationship: 'RESELLER', certification: null },
    ]);
    expect(variables).toEqual([
      { name: 'CONTACT', value: 'ads@news.example' },
      { name: 'OWNERDOMAIN', value: 'news.example' },
    ]);
    expect(faults.map(({ line }) => line)).toEqual([7, 8, 9, 10]);
  });
});

describe('a sellers.json', () => {
  it('is read seller by seller, and says which cannot be', () => {
    const read = parseSellersJson({
      sellers: [
        { seller_id: 'pub-1', seller_type: 'publisher', domain: 'News.example', name: 'News' },
        { seller_id: 7, seller_type: 'INTERMEDIARY', is_confidential: 1 },
        { seller_id: 'x', seller_type: 'FRIEND' },
        { seller_type: 'BOTH' },
        null,
      ],
    });
    expect(read?.sellers).toEqual([
      { id: 'pub-1', type: 'PUBLISHER', domain: 'news.example' },
      { id: '7', type: 'INTERMEDIARY', domain: null },
    ]);
    expect(read?.faults.map(({ pointer }) => pointer)).toEqual(['/sellers/2/seller_type', '/sellers/3/seller_id', '/sellers/4']);
    for (const other of [null, [], 'x', { sellers: {} }]) expect(parseSellersJson(other)).toBeNull();
  });
});

describe('the imported files', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.stop());
  const put = (url: string, payload: string | Buffer, type = 'text/plain') =>
    api.call('PUT', url, payload, { headers: { 'content-type': type } });

  it('are kept by domain, and a newer one takes the place of the older', async () => {
    const first = await put('/v1/ads-txt/News.example', ADS_TXT);
    expect([first.statusCode, first.json()]).toMatchObject([201, { domain: 'news.example', entries: 2, faults: 4, revision: 1 }]);
    expect(first.json().errors[0]).toEqual({ line: 7, code: 'bad_seller', message: 'the first field is not a domain name' });
    const second = await put('/v1/ads-txt/news.example', 'ssp.example, pub-1, DIRECT');
    expect([second.statusCode, second.json()]).toMatchObject([200, { entries: 1, faults: 0, revision: 2 }]);
    expect(await api.ok('GET', '/v1/ads-txt/news.example')).toMatchObject({ records: [{ account: 'pub-1' }] });
    const sellers = await put(
      '/v1/sellers-json/ssp.example',
      '{"sellers":[{"seller_id":"pub-1","seller_type":"PUBLISHER"}]}',
      'application/json',
    );
    expect([sellers.statusCode, sellers.json()]).toMatchObject([201, { domain: 'ssp.example', entries: 1 }]);
    expect(await api.ok('GET', '/v1/sellers-json')).toMatchObject({
      data: [{ domain: 'ssp.example' }],
      page: { hasMore: false },
    });
  });

  it('are refused where nothing in them can be read', async () => {
    const codes = [
      await put('/v1/ads-txt/news.example', '<html>not found</html>'),
      await put('/v1/ads-txt/news.example', ''),
      await put('/v1/ads-txt/news.example', Buffer.from([0xff, 0xfe])),
      await put('/v1/ads-txt/news', 'ssp.example, pub-1, DIRECT'),
      await put('/v1/sellers-json/ssp.example', '{'),
      await put('/v1/sellers-json/ssp.example', '[]'),
      await api.call('GET', '/v1/ads-txt/unknown.example'),
      await api.call('PUT', '/v1/ads-txt/news.example', 'ssp.example, pub-1, DIRECT', {
        key: null,
        headers: { 'content-type': 'text/plain' },
      }),
    ].map((response) => response.statusCode);
    expect(codes).toEqual([422, 422, 400, 422, 400, 422, 404, 401]);
    expect(await api.ok('GET', '/v1/ads-txt/news.example')).toMatchObject({ entries: 1 });
  });

  it('go to the bidders where a rule asks for them, and only then', async () => {
    const live = () => buildSnapshot(api.deps.things, coverOf, 1, Date.now()).supply;
    expect(live()).toBeUndefined();
    await api.ok('POST', '/v1/exchanges', { id: 'x', name: 'X', supply: { authorizedOnly: true } });
    expect(live()).toEqual({ adsTxt: { 'news.example': 'ssp.example/pub-1' }, sellers: { 'ssp.example': 'Ppub-1' } });
    await api.ok('DELETE', '/v1/ads-txt/news.example');
    expect(live()?.adsTxt).toEqual({});
  });
});
