import { describe, expect, it } from 'vitest';
import { BROWSERS, browserIn, browserOf, browserOfBrands } from '../../bidder/openrtb/browser.ts';
import { decodeRequest } from '../../bidder/openrtb/decode.ts';
import type { BidRequest, Device, Imp, Inventory } from '../../bidder/openrtb/request.ts';
import { wireRequest } from './support/live.ts';
import { encodeRequestMessage } from './support/message.ts';

type Fields = Record<string, unknown>;

/** Read from JSON, once it is clear that protobuf says the same. */
function read(given: Fields): BidRequest {
  const wire = wireRequest({ app: undefined, site: {}, device: {}, ...given });
  const json = decodeRequest(Buffer.from(JSON.stringify(wire)));
  expect(decodeRequest(encodeRequestMessage(wire), 'protobuf')).toEqual(json);
  return json as BidRequest;
}

const deviceOf = (device: Fields): Device => read({ device }).device;
const siteOf = (site: Fields): Inventory => read({ site }).inventory;
const impOf = (imp: Fields): Imp => read({ imp: [{ id: '1', banner: { w: 300, h: 250 }, ...imp }] }).imps[0] as Imp;

const WEBKIT = 'AppleWebKit/537.36 (KHTML, like Gecko)';
const AGENTS: readonly (readonly [browser: string, ua: string])[] = [
  ['chrome', `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/126.0.0.0 Safari/537.36`],
  [
    'chrome',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1',
  ],
  ['edge', `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0`],
  ['opera', `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/126.0.0.0 Safari/537.36 OPR/112.0.0.0`],
  ['samsung', `Mozilla/5.0 (Linux; Android 14; SM-S911B) ${WEBKIT} SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36`],
  ['yandex', `Mozilla/5.0 (Windows NT 10.0) ${WEBKIT} Chrome/124.0.0.0 YaBrowser/24.6.0.0 Safari/537.36`],
  ['firefox', 'Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0'],
  [
    'firefox',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 14_5 like Mac OS X) AppleWebKit/605.1.15 FxiOS/127.0 Mobile/15E148 Safari/605.1.15',
  ],
  [
    'safari',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15',
  ],
  [
    'webview',
    `Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP1A; wv) ${WEBKIT} Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36`,
  ],
  ['webview', 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148'],
  [
    'facebook',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [FBAN/FBIOS;FBAV/468.0.0.40.106]',
  ],
  ['ie', 'Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko'],
  ['', 'Roku/DVP-12.5 (12.5.0.4178-88)'],
  ['', ''],
];

describe('the browser', () => {
  it.each(AGENTS)('%s is read out of %s', (browser, ua) => {
    expect(browserOf(ua)).toBe(browser);
    expect(browserIn(deviceOf({ ua }))).toBe(browser);
  });

  it('is that of the structured user agent where that names one, whatever the order', () => {
    const sua = (...brands: string[]): Fields => ({ browsers: brands.map((brand) => ({ brand, version: ['126'] })) });
    const [, chrome] = AGENTS[0] as readonly [string, string];
    expect(browserIn(deviceOf({ ua: chrome, sua: sua('Not/A)Brand', 'Chromium', 'Microsoft Edge') }))).toBe('edge');
    expect(browserIn(deviceOf({ sua: sua('Google Chrome', 'Chromium') }))).toBe('chrome');
    expect(browserIn(deviceOf({ sua: sua('Chromium', 'Not A;Brand') }))).toBe('chrome');
    expect(browserIn(deviceOf({ ua: chrome, sua: sua('Ladybird') }))).toBe('chrome');
    expect(browserIn(deviceOf({ ua: chrome, sua: sua() }))).toBe('chrome');
    for (const browser of BROWSERS) expect(browserOfBrands([browser.toUpperCase()])).toBe(browser);
  });

  it('is not looked for where no sender puts it', () => {
    expect(browserOf(`${'x'.repeat(512)}Firefox/1`)).toBe('');
  });
});

describe('the device', () => {
  it('is described by its structured user agent before all else', () => {
    const sua = { platform: { brand: 'Android', version: ['14', '0', '1'] }, model: 'Pixel 8' };
    const device = { os: 'Linux', osv: '5', make: ' Google', model: 'unknown', sua };
    expect(deviceOf(device)).toMatchObject({ os: 'android', osv: '14.0.1', make: 'google', model: 'pixel 8' });
    expect(deviceOf({ os: 'iOS', osv: '17.5', make: 'Apple', model: 'iPhone15,4' })).toMatchObject({
      os: 'ios',
      osv: '17.5',
      make: 'apple',
      model: 'iphone15,4',
    });
    expect(deviceOf({ sua: { platform: { brand: 'macOS' } }, os: 'x', osv: '14.4' })).toMatchObject({ os: 'macos', osv: '14.4' });
  });

  it('names its network by code, with a hyphen or without, also in the place of the name', () => {
    expect(deviceOf({ mccmnc: '310-005', carrier: 'VERIZON ' })).toMatchObject({ mccmnc: '310-005', carrier: 'verizon' });
    expect(deviceOf({ mccmnc: '25001' }).mccmnc).toBe('250-01');
    expect(deviceOf({ carrier: '310-410' }).mccmnc).toBe('310-410');
    expect(deviceOf({ mccmnc: 'value', carrier: 'Telmex' }).mccmnc).toBe('');
  });

  it('says how it is connected, what it speaks and where that is', () => {
    const geo = { country: 'us', region: 'US-CA', city: ' Los Angeles', zip: '90049' };
    expect(deviceOf({ connectiontype: 2, language: 'EN-us', geo })).toMatchObject({
      connectionType: 2,
      language: 'en',
      country: 'USA',
      region: 'CA',
      city: 'los angeles',
      zip: '90049',
    });
    expect(deviceOf({ langb: 'zh-Hant-TW', geo: { region: 'New York' } })).toMatchObject({ language: 'zh', region: 'NEW YORK' });
    expect(deviceOf({})).toMatchObject({ connectionType: null, language: '', region: '', city: '', zip: '', mccmnc: '' });
  });
});

describe('the inventory', () => {
  it('has the categories of its place, section, page and content, each once and in upper case', () => {
    const site = {
      cat: ['iab1', 'IAB2'],
      sectioncat: ['IAB2-1'],
      pagecat: [' iab2-1'],
      content: { cat: ['IAB9'], language: 'De' },
    };
    expect(siteOf(site)).toMatchObject({ categories: ['IAB1', 'IAB2', 'IAB2-1', 'IAB9'], contentLanguage: 'de' });
    expect(siteOf({ content: { langb: 'pt-BR' } })).toMatchObject({ categories: [], contentLanguage: 'pt' });
  });

  it('has the host of its page where it names no domain', () => {
    const pages = [
      'https://www.news.example/a?b',
      'http://a-b.c1.example',
      'https://NEWS.example/',
      'http://a.example:81/',
      'https://x@a.example',
    ];
    pages.push('https://xn--80ak6aa92e.com/', 'http://1.2.3.4/', 'http://0x7f.1/', 'https://a.example#b', 'http://a.0x1/');
    for (const page of pages) expect(siteOf({ page }).domain, page).toBe(URL.canParse(page) ? new URL(page).hostname : '');
    expect(siteOf({ page: 'https://xn--/' }).domain).toBe('');
    expect(siteOf({ page: 'https://www.news.example/', domain: 'Own.example' }).domain).toBe('own.example');
  });

  it('does not take categories of products, or of a taxonomy that is the sender’s own', () => {
    for (const cattax of [3, 4, 500]) expect(siteOf({ cat: ['1'], cattax, content: { cat: ['2'] } }).categories).toEqual(['2']);
    expect(siteOf({ cat: ['1'], cattax: 7, content: { cat: ['2'], cattax: 4 } }).categories).toEqual(['1']);
  });
});

describe('the place', () => {
  it('has the position of its banner, else of its video; 0 is none', () => {
    expect(impOf({ banner: { w: 1, h: 1, pos: 3 }, video: { mimes: ['video/mp4'], pos: 1 } }).position).toBe(3);
    expect(impOf({ banner: { w: 1, h: 1, pos: 0 }, video: { mimes: ['video/mp4'], pos: 7 } }).position).toBe(7);
    expect(impOf({ banner: { w: 1, h: 1, pos: 0 } }).position).toBeNull();
  });

  it('has the first viewability that is a share', () => {
    const measured = (...values: number[]) =>
      impOf({ metric: values.map((value) => ({ type: 'Viewability', value, vendor: 'x' })) });
    expect([measured(0.71).viewability, measured(85, 0.5).viewability, measured(-1).viewability]).toEqual([0.71, 0.5, null]);
    expect([measured(0).viewability, impOf({ metric: [{ type: 'click_through_rate', value: 0.1 }] }).viewability]).toEqual([
      0,
      null,
    ]);
  });
});
