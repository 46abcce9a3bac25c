import { describe, expect, it } from 'vitest';
import { clockOf } from '../../bidder/clock.ts';
import { priceOf } from '../../bidder/core/price.ts';
import { fillMacros, type MacroValues, spokenDistance } from '../../bidder/core/texts.ts';
import { escapeHtml } from '../../bidder/markup/escape.ts';
import { decodeRequest } from '../../bidder/openrtb/decode.ts';
import type { BidRequest } from '../../bidder/openrtb/request.ts';
import { identifiersOf } from '../../bidder/person-keys.ts';
import { permissionOf } from '../../bidder/privacy.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { splitMacros } from '../../proto/macros.ts';
import { exchange, NOON, wireRequest } from './support/live.ts';

describe('the price', () => {
  const distance = { halvesEvery: 500, floorShare: 0.25 };

  it('is the highest without a rule of distance', () => {
    expect(priceOf({ maxCpm: 4_000_000, distance: null }, 10_000)).toBe(4_000_000);
  });

  it('halves with the distance down to its floor share', () => {
    const prices = [0, 500, 1_000, 5_000, null].map((metres) => priceOf({ maxCpm: 4_000_000, distance }, metres));
    expect(prices).toEqual([4_000_000, 2_000_000, 1_000_000, 1_000_000, 1_000_000]);
  });
});

describe('markup', () => {
  const values = { STORE_NAME: 'Tom & "Jerry\'s" <b>', CLICK_URL: 'https://b/n/click?d=1&s=2' } as MacroValues;

  it('escapes what macros bring, not what the creative says', () => {
    const parts = splitMacros('<a href="${CLICK_URL}">${STORE_NAME} & co</a>${AUCTION_PRICE}');
    expect(fillMacros(parts, values, escapeHtml)).toBe(
      '<a href="https://b/n/click?d=1&amp;s=2">Tom &amp; &quot;Jerry&#39;s&quot; &lt;b&gt; & co</a>${AUCTION_PRICE}',
    );
  });

  it('says distances as people do', () => {
    expect([4, 347, 990, 996, 1_240, 12_000].map(spokenDistance)).toEqual([
      '0 m',
      '350 m',
      '990 m',
      '1.0 km',
      '1.2 km',
      '12.0 km',
    ]);
  });
});

describe('who a request names', () => {
  const keysOf = (given: Record<string, unknown>, now = NOON): string[] => {
    const request = decodeRequest(Buffer.from(JSON.stringify(wireRequest(given)))) as BidRequest;
    return identifiersOf(request, 'x', 'pepper', permissionOf(request), now);
  };
  const named = { device: { ifa: 'A1B2-C3' }, user: { id: 7, buyeruid: 'me' } };

  it('is its advertising id, then our own id, then the id of the exchange', () => {
    expect(keysOf(named)).toEqual([
      keyIdentifier({ kind: 'ifa', value: 'a1b2-c3' }, 'pepper'),
      keyIdentifier({ kind: 'cookie', value: 'me' }, 'pepper'),
      keyIdentifier({ kind: 'exchange', value: 'x:7' }, 'pepper'),
    ]);
  });

  it('is only who we know by our own id where the sale of data was opted out of', () => {
    expect(keysOf({ ...named, regs: { us_privacy: '1YYN' } })).toEqual([
      keyIdentifier({ kind: 'cookie', value: 'me' }, 'pepper'),
    ]);
  });

  it('is for a day, and under a key of that day, the id of the exchange where tracking is limited', () => {
    const limited = { ...named, device: { ...named.device, lmt: 1 } };
    const [key, ...others] = keysOf(limited);
    expect(others).toEqual([]);
    expect(keysOf(limited, NOON + 11 * 3_600_000)).toEqual([key]);
    expect(keysOf(limited, NOON + 12 * 3_600_000)).not.toEqual([key]);
    expect(key).not.toBe(keyIdentifier({ kind: 'exchange', value: 'x:7' }, 'pepper'));
  });

  it('is nobody where children are asked about, or GDPR applies and nothing is consented to', () => {
    expect(keysOf({ ...named, regs: { coppa: 1 } })).toEqual([]);
    expect(keysOf({ ...named, regs: { gdpr: 1 } })).toEqual([]);
  });

  it('is nobody where all values stand for nobody', () => {
    expect(keysOf({ device: { ifa: '0000-0000' }, user: { id: 'null', buyeruid: '${UID}' } })).toEqual([]);
  });
});

describe('the clock of a call', () => {
  it('is what a simulated exchange says, and of nobody else', () => {
    expect(clockOf(exchange('x', { simulated: true }), '1234')).toBe(1234);
    expect(clockOf(exchange('x'), '1234')).toBeGreaterThan(1e12);
    for (const stated of [undefined, '', '-5', '1e3', '12345678901234567890', ['1', '2']])
      expect(clockOf(exchange('x', { simulated: true }), stated)).toBeGreaterThan(1e12);
  });
});
