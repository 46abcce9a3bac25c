import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z' };
const campaign = { advertiser: 'adv_a', name: 'Spring', ...flight };
const creative = {
  advertiser: 'adv_a',
  name: 'Banner',
  w: 300,
  h: 250,
  html: '<b>${STORE_NAME}</b>',
  landing: 'https://a.example/?s=${STORE_ID}',
};
const lineItem = { campaign: 'cmp_a', name: 'Near', bid: { maxCpmMicros: 2_000_000 }, creatives: ['cr_a'] };
const any = { headers: { 'if-match': '*' } };

beforeAll(async () => {
  api = await startApi();
  await api.ok('POST', '/v1/advertisers', { id: 'adv_a', name: 'A', domains: ['a.example'] });
  await api.ok('POST', '/v1/advertisers', { id: 'adv_b', name: 'B', domains: ['b.example'] });
  await api.ok('POST', '/v1/campaigns', { id: 'cmp_a', ...campaign });
  await api.ok('POST', '/v1/creatives', { id: 'cr_a', ...creative });
  await api.ok('POST', '/v1/creatives', { id: 'cr_b', ...creative, advertiser: 'adv_b', landing: 'https://b.example/' });
});
afterAll(() => api.stop());

const faultsOf = async (path: string, body: object): Promise<string[]> => {
  const response = await api.call('POST', `/v1/${path}?validateOnly=true`, body);
  if (response.statusCode === 200) return [];
  expect([response.statusCode, response.json().code]).toEqual([422, 'validation']);
  return response.json().errors.map((fault: { pointer: string; code: string }) => `${fault.pointer} ${fault.code}`);
};

describe('a campaign is refused', () => {
  test.each<[string, object, string[]]>([
    ['that ends before it starts', { end: '2025-01-01T00:00:00Z' }, ['/end end_before_start']],
    ['that ends when it starts, in another zone', { end: '2026-01-01T03:00:00+03:00' }, ['/end end_before_start']],
    ['with times that are none', { start: 'tomorrow', end: '2026-13-01T00:00:00Z' }, ['/start format', '/end format']],
    ['with a time without a zone', { start: '2026-01-01T00:00:00' }, ['/start format']],
    ['with a budget below nothing', { budgetMicros: -1 }, ['/budgetMicros minimum']],
    ['with a budget in fractions of a micro', { budgetMicros: 1.5 }, ['/budgetMicros type']],
    ['with a budget as a text', { budgetMicros: '100' }, ['/budgetMicros type']],
    ['with more than half held out', { holdout: { percent: 50.01 } }, ['/holdout/percent maximum']],
    ['with a share finer than a bucket', { holdout: { percent: 0.005 } }, ['/holdout/percent step']],
    ['of an advertiser that is none', { advertiser: 'adv_x' }, ['/advertiser unknown_advertiser']],
    ['with a status that is none', { status: 'on' }, ['/status enum']],
  ])('%s', async (_, change, expected) => {
    expect(await faultsOf('campaigns', { ...campaign, ...change })).toEqual(expected);
  });
});

test('a holdout of any hundredth of a percent is taken', async () => {
  for (const percent of [0, 0.01, 0.07, 10.1, 33.33, 49.99, 50])
    expect(await faultsOf('campaigns', { ...campaign, holdout: { percent } })).toEqual([]);
});

test('the salt of a holdout is drawn once and stays', async () => {
  const made = await api.ok<{ holdout: { salt: string } }>('POST', '/v1/campaigns', {
    id: 'cmp_salt',
    ...campaign,
    holdout: { percent: 10 },
  });
  const { salt } = made.holdout;
  expect(salt).toMatch(/^[0-9a-f]{16}$/);
  expect(await api.ok('PATCH', '/v1/campaigns/cmp_salt', { holdout: { percent: 20 } }, any)).toMatchObject({
    holdout: { percent: 20, salt },
  });
  expect(await api.ok('PUT', '/v1/campaigns/cmp_salt', { ...campaign, holdout: { percent: 5 } }, any)).toMatchObject({
    holdout: { percent: 5, salt },
  });
});

describe('a creative is refused', () => {
  test.each<[string, object, string[]]>([
    ['that leads elsewhere', { landing: 'https://evil.example/' }, ['/landing landing_domain']],
    ['that leads to a name that only ends alike', { landing: 'https://nota.example/' }, ['/landing landing_domain']],
    ['that hides where it leads', { landing: 'https://a.example@evil.example/' }, ['/landing landing_domain']],
    ['that hides it behind a backslash', { landing: 'https://evil.example\\.a.example/' }, ['/landing landing_domain']],
    ['that lets a macro say where it leads', { landing: 'https://${STORE_NAME}.a.example/' }, ['/landing landing_domain']],
    ['that runs a script', { landing: 'javascript:alert(1)//a.example' }, ['/landing landing_domain']],
    ['with an unknown macro in its address', { landing: 'https://a.example/${store}' }, ['/landing unknown_macro']],
    ['with an unknown macro in its HTML', { html: '<a>${STORE_NAM}</a>${STORE_NAM}' }, ['/html unknown_macro']],
    ['without a size', { w: 0 }, ['/w minimum']],
    ['with a picture that is no address', { iurl: 'not a url' }, ['/iurl format']],
  ])('%s', async (_, change, expected) => {
    expect(await faultsOf('creatives', { ...creative, ...change })).toEqual(expected);
  });
});

const video = {
  advertiser: 'adv_a',
  name: 'Spot',
  type: 'video',
  landing: 'https://a.example/',
  duration: 15,
  title: 'Bread at ${STORE_NAME}',
  media: [{ url: 'https://cdn.a.example/a.mp4', mime: 'video/mp4', bitrate: 1_200, w: 1280, h: 720 }],
};
const audio = { ...video, type: 'audio', media: [{ url: 'https://cdn.a.example/a.mp3', mime: 'audio/mpeg', bitrate: 128 }] };
const native = {
  advertiser: 'adv_a',
  name: 'In the feed',
  type: 'native',
  landing: 'https://a.example/',
  title: 'Bread',
  data: { 1: 'A', 2: 'At ${STORE_NAME}' },
  images: [{ type: 3, url: 'https://cdn.a.example/a.jpg', w: 1200, h: 627 }],
};

test('a creative of each type is taken, and one that names none is a banner', async () => {
  for (const body of [video, { ...video, skipAfter: 5 }, audio, native, { ...creative, type: 'banner', language: 'en' }])
    expect(await faultsOf('creatives', body)).toEqual([]);
  expect(await api.ok('GET', '/v1/creatives/cr_a')).toMatchObject({ type: 'banner', language: null });
});

describe('a creative of another type is refused', () => {
  const [file] = video.media;
  test.each<[string, object, string[]]>([
    ['without what it needs', { ...video, duration: undefined, title: undefined }, ['/duration required', '/title required']],
    ['with what it cannot have', { ...video, html: '<b>', images: [] }, ['/html unknown_property', '/images unknown_property']],
    ['with sound as video', { ...video, media: [{ ...file, mime: 'audio/mpeg' }] }, ['/media/0/mime wrong_medium']],
    ['with video as sound', { ...audio, media: video.media }, ['/media/0/mime wrong_medium']],
    ['with a file without TLS', { ...video, media: [{ ...file, url: 'http://a.example/a.mp4' }] }, ['/media/0/url pattern']],
    ['with a video without a size', { ...video, media: [{ ...file, w: undefined }] }, ['/media/0/w required']],
    ['that is skipped after its end', { ...video, skipAfter: 15 }, ['/skipAfter maximum']],
    ['with no length', { ...audio, duration: 0 }, ['/duration minimum']],
    ['with an unknown macro', { ...native, data: { 2: '${STORE}' } }, ['/data/2 unknown_macro']],
    ['with data of a type that is none', { ...native, data: { 99: 'x' } }, ['/data/99 unknown_property']],
    ['of a type that is none', { ...creative, type: 'skyscraper' }, ['/type enum']],
    ['with a language that is none', { ...creative, language: 'english' }, ['/language pattern']],
  ])('%s', async (_, body, expected) => {
    expect(await faultsOf('creatives', body)).toEqual(expected);
  });
});

test('a creative may lead to a host below the domain, and hold macros of the exchange and of scripts', async () => {
  const html = '<script>const x = `${y}`;</script><img src="//t.example/${AUCTION_PRICE:B64}">';
  expect(await faultsOf('creatives', { ...creative, html, landing: 'http://www.a.example/x?d=${DISTANCE_M}' })).toEqual([]);
});

describe('a line item is refused', () => {
  test.each<[string, object, string[]]>([
    ['of no campaign', { campaign: 'cmp_x' }, ['/campaign unknown_campaign']],
    ['that ends before it starts', { start: '2027-01-01T00:00:00Z', end: '2026-06-01T00:00:00Z' }, ['/end end_before_start']],
    ['that runs when its campaign does not', { end: '2025-06-01T00:00:00Z' }, ['/end flight_outside_campaign']],
    ['without a bid', { bid: {} }, ['/bid/maxCpmMicros required']],
    ['without a creative', { creatives: [] }, ['/creatives too_short']],
    ['with a deal without a name', { targeting: { deals: [''] } }, ['/targeting/deals/0 too_short']],
    ['with a seller that is none', { targeting: { supply: { sellers: ['A B'] } } }, ['/targeting/supply/sellers/0 pattern']],
    ['with a tax number that is none', { adLabel: { erid: 'x', inn: '1', name: 'A' } }, ['/adLabel/inn pattern']],
    ['with a creative of another advertiser', { creatives: ['cr_a', 'cr_b'] }, ['/creatives/1 unknown_creative']],
    ['with the same creative twice', { creatives: ['cr_a', 'cr_a'] }, ['/creatives duplicate']],
    ['with a cap of nothing', { caps: [{ count: 0, hours: 24 }] }, ['/caps/0/count minimum']],
    ['with a cap over months', { caps: [{ count: 1, hours: 10_000 }] }, ['/caps/0/hours maximum']],
    [
      'for devices that OpenRTB does not know',
      { targeting: { deviceTypes: [0, 9] } },
      ['/targeting/deviceTypes/0 minimum', '/targeting/deviceTypes/1 maximum'],
    ],
    [
      'in dayparts that are no times',
      { targeting: { dayparts: { sat: [['24:01', '25:00']] } } },
      ['/targeting/dayparts/sat/0 bad_hours'],
    ],
    ['in a zone that is none', { targeting: { timeZone: 'Mars' } }, ['/targeting/timeZone unknown_time_zone']],
    [
      'with a bid that never falls',
      { bid: { maxCpmMicros: 1, distance: { halvesEveryMetres: 0, floorShare: 2 } } },
      ['/bid/distance/halvesEveryMetres minimum', '/bid/distance/floorShare maximum'],
    ],
    [
      'for things that do not exist',
      {
        targeting: {
          exchanges: ['x'],
          segments: [['s1', 's2']],
          excludedSegments: ['s3'],
          stores: ['t'],
          storeGroups: ['g'],
          geofences: ['f'],
          promotedStores: ['t'],
        },
      },
      [
        '/targeting/exchanges/0 unknown_exchange',
        '/targeting/segments/0/0 unknown_segment',
        '/targeting/segments/0/1 unknown_segment',
        '/targeting/excludedSegments/0 unknown_segment',
        '/targeting/stores/0 unknown_store',
        '/targeting/promotedStores/0 unknown_store',
        '/targeting/storeGroups/0 unknown_store_group',
        '/targeting/geofences/0 unknown_geofence',
      ],
    ],
  ])('%s', async (_, change, expected) => {
    expect(await faultsOf('line-items', { ...lineItem, ...change })).toEqual(expected);
  });
});

test('a line item cannot move to another campaign, and a campaign with line items stays', async () => {
  await api.ok('POST', '/v1/line-items', { id: 'li_a', ...lineItem });
  const moved = await api.call('PATCH', '/v1/line-items/li_a', { campaign: 'cmp_salt' }, any);
  expect(moved.json().errors[0]).toMatchObject({ pointer: '/campaign', code: 'immutable' });
  for (const path of ['campaigns/cmp_a', 'creatives/cr_a'])
    expect((await api.call('DELETE', `/v1/${path}`, undefined, any)).json().code).toBe('in_use');
  await api.ok('DELETE', '/v1/line-items/li_a', undefined, any);
  await api.ok('DELETE', '/v1/creatives/cr_a', undefined, any);
  await api.ok('POST', '/v1/creatives', { id: 'cr_a', ...creative });
});

test('line items are listed by campaign', async () => {
  await api.ok('POST', '/v1/line-items', { id: 'li_1', ...lineItem });
  await api.ok('POST', '/v1/line-items', { id: 'li_2', ...lineItem, campaign: 'cmp_salt' });
  const { data } = await api.ok<{ data: { id: string }[] }>('GET', '/v1/line-items?campaign=cmp_salt');
  expect(data.map(({ id }) => id)).toEqual(['li_2']);
});
