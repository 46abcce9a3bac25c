import type { KeptKey } from '../keys/authenticate.ts';

/** A segment as pages are told of it. */
export interface Coded {
  readonly segment: string;
  readonly code: string;
  /** Through which it is offered. */
  readonly destination: string;
}

/** Name of a segment there, by its number in profiles. */
export type Codes = ReadonlyMap<number, Coded>;

/** All that whoever answers pages must know beside the visitors' values: it stands in Redis, as JSON. */
export interface OfferSheet {
  readonly keys: readonly (readonly [id: string, key: KeptKey])[];
  readonly offers: readonly AdvertiserOffer[];
}

export interface AdvertiserOffer {
  readonly advertiser: string;
  /** Sites whose pages may ask. */
  readonly origins: readonly string[];
  readonly codes: readonly (readonly [number: number, coded: Coded])[];
}

/** What pages may be told of as it stands, to be asked for each call. */
export interface Offers {
  /** Waits only where it is not known. Rejects with a 503 problem where it cannot be known. */
  codesOf(advertiser: string): Codes | Promise<Codes>;
  /** @param advertiser null: anybody's pages */
  allows(origin: string, advertiser: string | null): boolean;
}

export interface ReadSheet extends Offers {
  codesOf(advertiser: string): Codes;
  keyOf(id: string): KeptKey | undefined;
}

/** The sheet. It runs out where no dmp renews it, and with it what may be told. */
export const SHEET_KEY = 'walkin:pages:offers';
/** Channel on which it is said that the sheet is another one. */
export const SHEET_CHANNEL = 'walkin:pages:offers';

const NONE: Codes = new Map();

export function readSheet({ keys, offers }: OfferSheet): ReadSheet {
  const keyById = new Map(keys);
  const codes = new Map(offers.map((offer) => [offer.advertiser, new Map(offer.codes)]));
  const origins = new Map(offers.map((offer) => [offer.advertiser, new Set(offer.origins)]));
  const anybodys = new Set(offers.flatMap((offer) => offer.origins));
  return {
    keyOf: (id) => keyById.get(id),
    codesOf: (advertiser) => codes.get(advertiser) ?? NONE,
    allows: (origin, advertiser) => (advertiser === null ? anybodys : origins.get(advertiser))?.has(origin) ?? false,
  };
}
