import { describe, expect, it } from 'vitest';
import { clearingOf, lossReasonOf, multiplierOf, type PriceContext, priceTold, shownAt } from '../../bidder/notices/clearing.ts';
import { decrypt, decryptPrice, encrypt } from '../../bidder/notices/price-cipher.ts';
import { createReplayGuard } from '../../bidder/notices/replay-guard.ts';
import { lossReasonName } from '../../proto/loss-reason.ts';

const MINUTE = 60_000;
const bid = { bid: 'b', bidAt: 0, price: 2_000_000, offered: 2_000_000, currency: 'USD' };
const plain: PriceContext = {
  bid,
  exchange: { price: { kind: 'plain' }, currency: null },
  now: MINUTE,
  isReplayed: () => false,
};

/** Vectors of google/openrtb-doubleclick (Apache-2.0). */
const KEYS = {
  encryptionKey: 'sIxwz7yw62yrfoLGt12lIHKuYrK/S5kLuApI2BQe7Ac=',
  integrityKey: 'v3fsVcMBMMHYzRhi7SpM0sdqwzvAxM6KPTu9OtVod5I=',
};
const SWAPPED = { encryptionKey: KEYS.integrityKey, integrityKey: KEYS.encryptionKey };
const IV = Buffer.from('386E3AC0000C0A080123456789ABCDEF', 'hex');
const PRICE = 'OG46wAAMCggBI0VniavN7-mNy0VTKPbB3o5CMQ==';
const AT = 946_748_096_789;

describe('the clearing price of a notice', () => {
  it('is read as a decimal', () => {
    expect(clearingOf('1.234567', 'USD', plain)).toEqual({ kind: 'known', clearing: 1_234_567 });
    expect(clearingOf('2', undefined, plain)).toEqual({ kind: 'known', clearing: 2_000_000 });
  });

  it.each([
    [undefined, 'missing'],
    ['', 'missing'],
    ['${AUCTION_PRICE}', 'literal'],
    ['${AUCTION_PRICE:B64}', 'literal'],
    ['%24%7BAUCTION_PRICE%7D', 'literal'],
    ['%2524%257BPRICE%257D', 'literal'],
    ['%%WINNING_PRICE%%', 'literal'],
    ['Ab3xK-encrypted', 'undecodable'],
    [PRICE, 'undecodable'],
    ['-1', 'undecodable'],
    ['1e3', 'undecodable'],
    ['NaN', 'undecodable'],
    ['2.000001', 'above_bid'],
  ])('of %s cannot be used', (price, fault) => {
    expect(clearingOf(price, 'USD', plain)).toEqual({ kind: 'unknown', fault });
  });

  it('is read out of base64 where that was agreed, and only there', () => {
    const b64 = { ...plain, exchange: { ...plain.exchange, price: { kind: 'b64' } as const } };
    for (const text of ['MS4yMzQ1Njc=', 'MS4yMzQ1Njc'])
      expect(clearingOf(text, 'USD', b64)).toEqual({ kind: 'known', clearing: 1_234_567 });
    for (const text of ['1.2', 'LTE=', 'bm9uZQ==', 'MS4yMzQ1Njc=MS4y', '*'])
      expect(clearingOf(text, 'USD', b64)).toEqual({ kind: 'unknown', fault: 'undecodable' });
    expect(clearingOf('${AUCTION_PRICE:B64}', 'USD', b64)).toEqual({ kind: 'unknown', fault: 'literal' });
    expect(clearingOf('AUDIT', 'USD', b64)).toEqual({ kind: 'audit' });
    expect(clearingOf('MS4yMzQ1Njc=', 'USD', plain)).toEqual({ kind: 'unknown', fault: 'undecodable' });
  });

  it('in another currency cannot be used', () => {
    expect(clearingOf('1', 'EUR', plain)).toEqual({ kind: 'unknown', fault: 'currency' });
    expect(clearingOf('1', '${AUCTION_CURRENCY}', plain)).toMatchObject({ kind: 'known' });
    const inRoubles = { ...plain, exchange: { ...plain.exchange, currency: 'RUB' } };
    expect(clearingOf('1', '', inRoubles)).toEqual({ kind: 'unknown', fault: 'currency' });
    expect(clearingOf('1', 'usd', inRoubles)).toMatchObject({ kind: 'known' });
  });

  it('of an offer in another currency than the budget costs its part of the bid', () => {
    const offered = { ...plain, bid: { ...bid, currency: 'RUB', offered: 160_000_000 } };
    expect(clearingOf('80', 'RUB', offered)).toEqual({ kind: 'known', clearing: 1_000_000 });
    expect(clearingOf('160', 'RUB', offered)).toEqual({ kind: 'known', clearing: 2_000_000 });
    expect(clearingOf('161', 'RUB', offered)).toEqual({ kind: 'unknown', fault: 'above_bid' });
    expect(priceTold('40', offered.bid)).toBe(500_000);
  });

  it('of a quality scan is no sale', () => {
    expect(clearingOf('AUDIT', 'USD', plain)).toEqual({ kind: 'audit' });
  });

  it('has its reason and minimum to win beside it, where they can be read', () => {
    const reasons = ['102', '${AUCTION_LOSS}', undefined, '99999'].map(lossReasonOf);
    expect(reasons).toEqual([102, null, null, null]);
    expect(['0.9', '', '-1', undefined].map((text) => priceTold(text, bid))).toEqual([900_000, null, null, null]);
    expect([102, 201, 1_001, 99, null].map(lossReasonName)).toEqual([
      'outbid',
      'creative_pending',
      'exchange_specific',
      'unknown',
      'unknown',
    ]);
  });

  it('of a screen counts by the people who saw it, at most as many as were promised', () => {
    const told = ['2.5', '14', '', '${AUCTION_MULTIPLIER}', '-1', '1e9', undefined];
    expect(told.map((text) => multiplierOf(text, 12))).toEqual([2.5, 12, 12, 12, 12, 12, 12]);
  });

  it('tells when it was shown, neither before the bid nor in time to come', () => {
    const now = Date.UTC(2026, 7, 4, 12);
    const bidAt = now - 10 * MINUTE;
    const told = [String(now - MINUTE), String(now + 1), String(bidAt - 2 * MINUTE), '${AUCTION_IMP_TS}', '', undefined];
    expect(told.map((text) => shownAt(text, bidAt, now))).toEqual([now - MINUTE, now, now, now, now, now]);
  });
});

describe('an encrypted price', () => {
  it('is that of the published vector, with and without padding', () => {
    const price = { micros: 1_200_000, at: AT, iv: '386e3ac0000c0a080123456789abcdef' };
    expect(decryptPrice(PRICE, KEYS)).toEqual(price);
    expect(decryptPrice(PRICE.replace('==', ''), KEYS)).toEqual(price);
  });

  it.each([
    ['eight bytes of an IDFA', 'OG46wAAMCggBI0VniavN7-mMyUZXP79GV5XMEA==', 'base64url', '0001020304050607'],
    [
      'sixteen of an advertising id',
      '386E3AC0000C0A080123456789ABCDEFE98CC946573FBF4645EF060B17A667A617C66BCB',
      'hex',
      '000102030405060708090a0b0c0d0e0f',
    ],
    ['a hyperlocal place', '386E3AC0000C0A080123456789ABCDEFFB87C645530EFB544DE63842A609CC0C', 'hex', '120a0d000034421500003442'],
  ] as const)('is one use of a scheme that also carries %s', (_, message, encoding, payload) => {
    expect(decrypt(Buffer.from(message, encoding), KEYS)?.toString('hex')).toBe(payload);
  });

  it('of more than one pad comes back as it was', () => {
    const payload = Buffer.from(Array.from({ length: 70 }, (_, at) => at));
    expect(decrypt(encrypt(payload, IV, KEYS), KEYS)).toEqual(payload);
  });

  it('is none under swapped keys, with any bit turned, cut, garbled or empty', () => {
    expect(decryptPrice(PRICE, SWAPPED)).toBeNull();
    for (const text of ['garbage', '', PRICE.slice(0, -4), `${PRICE}A`, '='.repeat(38), 'A'.repeat(38)])
      expect(decryptPrice(text, KEYS), text).toBeNull();
    const message = Buffer.from(PRICE, 'base64url');
    for (let bit = 0; bit < message.length * 8; bit++) {
      const turned = Buffer.from(message);
      turned[bit >> 3] = (turned[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(decryptPrice(turned.toString('base64url'), KEYS), `bit ${bit}`).toBeNull();
    }
  });

  it('below nothing is none', () => {
    const payload = Buffer.alloc(8);
    payload.writeBigInt64BE(-1n);
    expect(decryptPrice(encrypt(payload, IV, KEYS).toString('base64url'), KEYS)).toBeNull();
  });
});

describe('the clearing price of an exchange with keys', () => {
  const google: PriceContext = {
    bid: { ...bid, bidAt: AT - 1_000 },
    exchange: { price: { kind: 'google', ...KEYS }, currency: null },
    now: AT + 2_000,
    isReplayed: () => false,
  };

  it('is decrypted', () => {
    expect(clearingOf(PRICE, 'USD', google)).toEqual({ kind: 'known', clearing: 1_200_000 });
  });

  it('cannot be used where it comes plain: anybody could have written it', () => {
    expect(clearingOf('0.01', 'USD', google)).toEqual({ kind: 'unknown', fault: 'undecodable' });
  });

  it('cannot be used where it is older than the bid or from time to come', () => {
    expect(clearingOf(PRICE, 'USD', { ...google, bid: { ...google.bid, bidAt: AT + 2 * MINUTE } })).toMatchObject({
      fault: 'stale',
    });
    expect(clearingOf(PRICE, 'USD', { ...google, now: AT - 2 * MINUTE })).toMatchObject({ fault: 'stale' });
  });

  it('of one bid serves all notices of it, and no other bid', () => {
    const context = { ...google, isReplayed: createReplayGuard() };
    const other = { ...context, bid: { ...google.bid, bid: 'other' } };
    for (let notice = 0; notice < 3; notice++) expect(clearingOf(PRICE, 'USD', context)).toMatchObject({ kind: 'known' });
    expect(clearingOf(PRICE, 'USD', other)).toEqual({ kind: 'unknown', fault: 'replayed' });
  });

  it('is remembered within bounds', () => {
    const isReplayed = createReplayGuard(2);
    for (const iv of ['1', '2', '3']) isReplayed(iv, 'a');
    expect(['3', '2', '1'].map((iv) => isReplayed(iv, 'b'))).toEqual([true, true, false]);
  });
});
