import { timingSafeEqual } from 'node:crypto';
import type { BidRecord } from './ad-event.ts';
import { base64urlOf, createHmac256, type Hmac } from './hmac.ts';

/** The signed part of every notice address: the bid, so that any worker can book it, also after a restart. */

/** base64url of the record as a JSON array, in the order of FIELDS. */
export function encodeRecord(record: BidRecord): string {
  // Written out: to ask for each field by its name took a microsecond of a bid.
  const values: { readonly [At in keyof typeof FIELDS]: unknown } = [
    record.bid,
    record.bidAt,
    record.exchange,
    record.auction,
    record.imp,
    record.lineItem,
    record.campaign,
    record.advertiser,
    record.creative,
    record.store,
    record.identifier,
    record.anchor,
    record.price,
    record.lease,
    record.test,
    record.currency,
    record.offered,
    record.multiplier,
    record.deal,
    record.mtype,
    record.privacy,
    record.consent,
    record.auctionType,
    record.billedBy,
  ];
  return Buffer.from(JSON.stringify(values)).toString('base64url');
}

const FIELDS = [
  'bid',
  'bidAt',
  'exchange',
  'auction',
  'imp',
  'lineItem',
  'campaign',
  'advertiser',
  'creative',
  'store',
  'identifier',
  'anchor',
  'price',
  'lease',
  'test',
  'currency',
  'offered',
  'multiplier',
  'deal',
  'mtype',
  'privacy',
  'consent',
  'auctionType',
  'billedBy',
] as const satisfies readonly (keyof BidRecord)[];

/**
 * Addresses made before there were formats: their bids are banners in dollars; before there was the table of privacy; before
 * the hash of consent; and before they said how they are billed.
 */
const FIELDS_BEFORE = 15;
const FIELDS_WITHOUT_PRIVACY = 20;
const FIELDS_WITHOUT_CONSENT = 21;
const FIELDS_WITHOUT_BILLING = 23;
const LENGTHS: readonly number[] = [
  FIELDS.length,
  FIELDS_WITHOUT_BILLING,
  FIELDS_WITHOUT_CONSENT,
  FIELDS_WITHOUT_PRIVACY,
  FIELDS_BEFORE,
];
const BEFORE = { currency: 'USD', multiplier: 1, deal: '', mtype: 1 } as const;

/** Null where it is not a record. Call only after `verify`. */
export function decodeRecord(payload: string): BidRecord | null {
  try {
    const values: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    if (!Array.isArray(values) || !LENGTHS.includes(values.length)) return null;
    const there = FIELDS.slice(0, values.length);
    const record = Object.fromEntries(there.map((field, index) => [field, values[index] ?? undefined])) as unknown as BidRecord;
    return values.length > FIELDS_BEFORE ? record : { ...record, ...BEFORE, offered: record.price };
  } catch {
    return null;
  }
}

/** HMAC-SHA-256 cut to 12 bytes, base64url. `context` binds what else the address says (the landing address of a click). */
export function sign(payload: string, context: string, secret: string): string {
  return base64urlOf(hmacOf(secret).words(`${payload}\n${context}`));
}

/** Signs several addresses of one bid: what they have in common is hashed once. */
export function signerOf(payload: string, secret: string): (context: string) => string {
  const words = hmacOf(secret).after(`${payload}\n`);
  return (context) => base64urlOf(words(context));
}

/** Of the secret that this process was used with last. */
let held: { readonly secret: string; readonly hmac: Hmac } | null = null;

function hmacOf(secret: string): Hmac {
  if (held?.secret !== secret) held = { secret, hmac: createHmac256(secret) };
  return held.hmac;
}

export function verify(payload: string, context: string, signature: string, secret: string): boolean {
  const expected = Buffer.from(sign(payload, context, secret));
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
