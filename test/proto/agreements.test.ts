import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BidRecord } from '../../proto/ad-event.ts';
import { bucketOf, isHeldOut } from '../../proto/bucket.ts';
import { isWithin, localDay, minuteOfWeek, weekSpans, zoneOffset } from '../../proto/hours.ts';
import { identifierKey, keyIdentifier, normalizeIdentifier } from '../../proto/identifier.ts';
import { CREATIVE_MACROS, splitMacros } from '../../proto/macros.ts';
import { cpmToMicros, impressionCost, parseMicros } from '../../proto/money.ts';
import { decodeRecord, encodeRecord, sign, verify } from '../../proto/notice.ts';
import { decimals, isPreciseFor, signalOf } from '../../proto/signal.ts';

test('decimal texts become micros without passing through a float', () => {
  expect(parseMicros('3.86')).toBe(3_860_000);
  expect(parseMicros('-0.000001')).toBe(-1);
  expect(parseMicros('999999999.999999')).toBe(999_999_999_999_999);
  expect(parseMicros('1.0000005')).toBe(1_000_001);
  for (const text of ['', '1234567890', '1,5', '1e3', 'NaN', '.', '1.', '--1']) expect(parseMicros(text)).toBeNull();
});

test('an impression costs a thousandth of its CPM', () => {
  expect(impressionCost(cpmToMicros(2.5))).toBe(2_500);
});

test('identifiers that name nobody have no key', () => {
  for (const value of ['', '00000000-0000-0000-0000-000000000000', 'null', '${IFA}', 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa'])
    expect(normalizeIdentifier('ifa', value)).toBeNull();
  expect(normalizeIdentifier('exchange', 'city:')).toBeNull();
  expect(normalizeIdentifier('email', 'not an address')).toBeNull();
  expect(normalizeIdentifier('phone', '112')).toBeNull();
});

test('one person written in different ways has one key', () => {
  const pepper = 'pepper';
  const key = keyIdentifier({ kind: 'phone', value: '+79995551111' }, pepper);
  for (const value of ['8 (999) 555-11-11', '8-999-5551111', '+7 999 555-11-11', '79995551111', '9995551111'])
    expect(keyIdentifier({ kind: 'phone', value }, pepper)).toBe(key);
  expect(keyIdentifier({ kind: 'ifa', value: 'ABCDEF12-0000-4000-8000-000000000001' }, pepper)).toBe(
    keyIdentifier({ kind: 'ifa', value: 'abcdef12-0000-4000-8000-000000000001 ' }, pepper),
  );
});

test('a key is a UUID of version 8 that another pepper or kind changes', () => {
  const key = identifierKey('ifa', 'x1', 'one');
  expect(key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(identifierKey('ifa', 'x1', 'two')).not.toBe(key);
  expect(identifierKey('cookie', 'x1', 'one')).not.toBe(key);
});

test('buckets are even and independent between salts', () => {
  const anchors = Array.from({ length: 20_000 }, (_, n) => identifierKey('ifa', `device-${n}`, 'pepper'));
  const heldOut = (salt: string) => anchors.filter((anchor) => isHeldOut(anchor, salt, 2_000));
  expect(heldOut('one').length / anchors.length).toBeCloseTo(0.2, 1);
  const two = new Set(heldOut('two'));
  expect(heldOut('one').filter((anchor) => two.has(anchor)).length / anchors.length).toBeCloseTo(0.04, 2);
  expect(bucketOf('a', 's')).toBe(bucketOf('a', 's'));
});

test('a notice record survives its address, and a changed one is refused', () => {
  const record: BidRecord = {
    bid: 'b1',
    bidAt: 1_700_000_000_000,
    exchange: 'city',
    auction: 'Ünïcode"|,',
    imp: '1',
    lineItem: 'li_1',
    campaign: 'cmp_1',
    advertiser: 'adv_1',
    creative: 'cr_1',
    store: '',
    identifier: '',
    anchor: '',
    price: 2_500_000,
    lease: 'w1-1',
    test: false,
    currency: 'USD',
    offered: 2_500_000,
    multiplier: 1,
    deal: '',
    mtype: 1,
    privacy: 'gdpr_consent' as const,
    consent: '0123456789abcdef',
    auctionType: 1,
    billedBy: 'vast' as const,
  };
  const payload = encodeRecord(record);
  const signature = sign(payload, 'https://shop.example/', 'secret');
  expect(decodeRecord(payload)).toEqual(record);
  expect(verify(payload, 'https://shop.example/', signature, 'secret')).toBe(true);
  expect(verify(payload, 'https://evil.example/', signature, 'secret')).toBe(false);
  expect(verify(`${payload}A`, 'https://shop.example/', signature, 'secret')).toBe(false);
  expect(verify(payload, 'https://shop.example/', '', 'secret')).toBe(false);
  expect(decodeRecord('not a record')).toBeNull();
});

test('decimals are counted as written, also through float32', () => {
  expect([1.15, 37.62, 0.07, 16.1].map(decimals)).toEqual([2, 2, 2, 1]);
  expect(decimals(Math.fround(55.76))).toBe(2);
  expect(decimals(55.7512)).toBe(4);
});

test('decimals agree with those of the printed number, at every coordinate', () => {
  const slow = (value: number): number => {
    for (let d = 0; d < 7; d++) {
      const rounded = Number(value.toFixed(d));
      if (rounded === value || Math.fround(rounded) === value) return d;
    }
    return 7;
  };
  fc.assert(
    fc.property(fc.double({ min: -180, max: 180, noNaN: true }), fc.integer({ min: 0, max: 9 }), (value, digits) => {
      const written = Number(value.toFixed(digits));
      expect(decimals(written)).toBe(slow(written));
      expect(decimals(Math.fround(written))).toBe(slow(Math.fround(written)));
    }),
    { numRuns: 20_000 },
  );
});

test('a location is trusted by what it states', () => {
  const gps = { lat: 55.75123, lon: 37.61234, type: 1, accuracy: 12, lastfix: 5 };
  expect(signalOf(gps)).toEqual({ class: 'high', error: 12 });
  expect(signalOf({ ...gps, type: 2 })?.error).toBeGreaterThanOrEqual(5_000);
  expect(signalOf({ ...gps, type: null })?.class).toBe('low');
  expect(signalOf({ ...gps, lat: 55.75, lon: 37.61 })?.error).toBeGreaterThan(1_000);
  expect(signalOf({ ...gps, lastfix: 140 })?.error).toBe(212);
  expect(signalOf({ ...gps, lat: 0, lon: 0 })).toBeNull();
  expect(signalOf({ ...gps, lat: 123 })).toBeNull();
  expect(signalOf({ ...gps, lat: Number.NaN })).toBeNull();
  expect(isPreciseFor({ class: 'medium', error: 60 }, 20)).toBe(false);
  expect(isPreciseFor({ class: 'medium', error: 60 }, 75)).toBe(true);
});

test('a schedule holds past midnight and past Sunday', () => {
  const spans = weekSpans({ mon: [['09:00', '21:00']], sun: [['22:00', '02:00']] });
  expect(isWithin(spans, 9 * 60)).toBe(true);
  expect(isWithin(spans, 21 * 60)).toBe(false);
  expect(isWithin(spans, 60)).toBe(true);
  expect(isWithin(spans, 2 * 60)).toBe(false);
  expect(isWithin(null, 0)).toBe(true);
  expect(() => weekSpans({ mon: [['25:00', '26:00']] })).toThrow(RangeError);
});

test('local times follow the zone through its clock changes', () => {
  const before = Date.UTC(2026, 2, 29, 0, 30);
  expect(zoneOffset('Europe/Helsinki', before)).toBe(120);
  expect(zoneOffset('Europe/Helsinki', before + 3_600_000)).toBe(180);
  expect(zoneOffset('Asia/Kolkata', before)).toBe(330);
  expect(minuteOfWeek(Date.UTC(2026, 10, 23, 0, 0), 0)).toBe(0);
  expect(minuteOfWeek(Date.UTC(2026, 10, 22, 23, 0), 60)).toBe(0);
  expect(localDay(Date.UTC(2026, 10, 22, 23, 0), 'Europe/Helsinki')).toBe('2026-11-23');
});

test("only our own macros are split; the exchange's stay text", () => {
  expect(splitMacros('a ${STORE_NAME} b ${AUCTION_PRICE}')).toEqual(['a ', 'STORE_NAME', ' b ${AUCTION_PRICE}']);
  const pattern = new RegExp(`\\$\\{(${CREATIVE_MACROS.join('|')})\\}`);
  const piece = fc.constantFrom(
    '${',
    '}',
    '$',
    '{',
    'STORE_ID',
    'CLICK_URL',
    '${CLICK_URL}',
    '${STORE_ID}',
    '${AUCTION_PRICE}',
    ' a',
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const text = pieces.join('');
      expect(splitMacros(text)).toEqual(text.split(pattern));
    }),
  );
});
