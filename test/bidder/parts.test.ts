import { describe, expect, it } from 'vitest';
import { clearingOf, lossReasonOf, priceTold } from '../../bidder/clearing.ts';
import { clockOf } from '../../bidder/clock.ts';
import { priceOf } from '../../bidder/core/price.ts';
import { escapeHtml, fillMacros, type MacroValues, spokenDistance } from '../../bidder/markup.ts';
import { decodeRequest } from '../../bidder/openrtb/decode.ts';
import type { BidRequest } from '../../bidder/openrtb/request.ts';
import { identifiersOf } from '../../bidder/users.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { splitMacros } from '../../proto/macros.ts';
import { exchange, wireRequest } from './support/live.ts';

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

describe('the clearing price of a notice', () => {
  const bid = 2_000_000;

  it('is read as a decimal', () => {
    expect(clearingOf('1.234567', 'USD', bid, 'USD')).toEqual({ kind: 'known', clearing: 1_234_567 });
    expect(clearingOf('2', undefined, bid, null)).toEqual({ kind: 'known', clearing: 2_000_000 });
  });

  it.each([
    [undefined, 'missing'],
    ['', 'missing'],
    ['${AUCTION_PRICE}', 'literal'],
    ['%24%7BAUCTION_PRICE%7D', 'literal'],
    ['%%WINNING_PRICE%%', 'literal'],
    ['Ab3xK-encrypted', 'undecodable'],
    ['-1', 'undecodable'],
    ['1e3', 'undecodable'],
    ['NaN', 'undecodable'],
    ['2.000001', 'above_bid'],
  ])('of %s cannot be used', (price, fault) => {
    expect(clearingOf(price, 'USD', bid, 'USD')).toEqual({ kind: 'unknown', fault });
  });

  it('in another currency cannot be used', () => {
    expect(clearingOf('1', 'EUR', bid, 'USD')).toEqual({ kind: 'unknown', fault: 'currency' });
    expect(clearingOf('1', '${AUCTION_CURRENCY}', bid, 'USD')).toMatchObject({ kind: 'known' });
  });

  it('of a quality scan is no sale', () => {
    expect(clearingOf('AUDIT', 'USD', bid, 'USD')).toEqual({ kind: 'audit' });
  });

  it('has its reason and minimum to win beside it, where they can be read', () => {
    expect([lossReasonOf('102'), lossReasonOf('${AUCTION_LOSS}'), lossReasonOf(undefined), lossReasonOf('99999')]).toEqual([
      102,
      null,
      null,
      null,
    ]);
    expect([priceTold('0.9'), priceTold(''), priceTold('-1'), priceTold(undefined)]).toEqual([900_000, null, null, null]);
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
  const keysOf = (given: Record<string, unknown>): string[] =>
    identifiersOf(decodeRequest(Buffer.from(JSON.stringify(wireRequest(given)))) as BidRequest, 'x', 'pepper');

  it('is its advertising id, then our own id, then the id of the exchange', () => {
    expect(keysOf({ device: { ifa: 'A1B2-C3' }, user: { id: 7, buyeruid: 'me' } })).toEqual([
      keyIdentifier({ kind: 'ifa', value: 'a1b2-c3' }, 'pepper'),
      keyIdentifier({ kind: 'cookie', value: 'me' }, 'pepper'),
      keyIdentifier({ kind: 'exchange', value: 'x:7' }, 'pepper'),
    ]);
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
