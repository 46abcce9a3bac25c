import type { BidRecord } from '../proto/ad-event.ts';
import { consentHash } from '../proto/privacy/consent-hash.ts';
import type { LiveExchange } from '../proto/snapshot.ts';
import type { Choice } from './core/choice.ts';
import type { Person } from './core/person.ts';
import { auctionTypeOf } from './core/ways.ts';
import { MTYPES } from './encode.ts';
import type { BidRequest } from './openrtb/request.ts';
import type { Permission } from './privacy.ts';

/** Of an auction, what its records tell. */
export interface Recorded {
  readonly deps: { readonly nextBid: () => string };
  readonly exchange: LiveExchange;
  readonly request: BidRequest;
  readonly permission: Permission;
  readonly person: Person;
  /** Epoch ms. */
  readonly now: number;
}

/** What is kept of a bid, and goes with its notices. */
export function recordOf(
  { deps, exchange, request, permission, person, now }: Recorded,
  choice: Choice,
  lease: string,
): BidRecord {
  const { lineItem, creative, store, imp, price, currency, offered, deal } = choice;
  return {
    bid: deps.nextBid(),
    bidAt: now,
    exchange: exchange.id,
    auction: request.id,
    imp: imp.id,
    lineItem: lineItem.id,
    campaign: lineItem.campaign,
    advertiser: lineItem.advertiser,
    creative: creative.id,
    // Who and where are told together only where both may be kept.
    store: permission.storeLocation || person.identifier === '' ? (store?.id ?? '') : '',
    identifier: person.identifier,
    anchor: person.anchor,
    price,
    lease,
    test: request.test,
    currency,
    offered,
    multiplier: imp.multiplier,
    deal: deal?.id ?? '',
    mtype: MTYPES[creative.type],
    privacy: permission.why,
    consent: consentHash(request.regs),
    auctionType: auctionTypeOf(request.at, exchange),
    billedBy: exchange.billing,
  };
}

/** Null also where it may not be kept where somebody was. */
export function wholeMetres({ store, metres }: Choice, { storeLocation }: Permission): number | null {
  return store === null || metres === null || !storeLocation ? null : Math.round(metres);
}
