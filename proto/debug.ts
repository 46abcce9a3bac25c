import { createHmac } from 'node:crypto';
import type { Micros } from './money.ts';
import type { NoBidReason } from './no-bid.ts';
import type { WireResponse } from './openrtb.ts';
import { currentPepper } from './pepper.ts';
import type { PrivacyReason } from './privacy/table.ts';

/**
 * What the dmp asks of a bidder, and what it is told: `POST /debug` on the bidder's private port, with `debugKey` as the bearer. A
 * bidder has many workers: who asks gets a list of their answers.
 */
export type DebugQuestion = DebugBid | DebugCounts | DebugRequests;

/** Told of in one answer. */
export const MOST_DEBUG_LINE_ITEMS = 500;

/** Both sides derive it from the pepper, so that there is no other secret to hand around. */
export function debugKey(pepper: string): string {
  return createHmac('sha256', currentPepper(pepper)).update('walkin:debug').digest('hex');
}

/** What a bidder announces in BIDDERS_KEY. */
export interface AnnouncedBidder {
  /** Base of its private port, `http://host:port`. */
  readonly address: string;
  /** Epoch ms; one that has been silent for `BIDDER_SILENT_MS` is gone. */
  readonly at: number;
}

export const BIDDER_SILENT_MS = 30_000;

/** Asks one worker to decide a request without side effects, and to say of every line item why. */
export interface DebugBid {
  readonly kind: 'bid';
  readonly exchange: string;
  /** OpenRTB JSON, or its text; or a body as it was sent, JSON or protobuf, compressed or not, in base64. */
  readonly request: object | string;
  /** Epoch ms; null: the present. */
  readonly now: number | null;
  /** In place of the person's own. */
  readonly profile: DebugProfile | null;
  /** Whether the profile behind the request's identifiers may be read where none is given. */
  readonly readsProfile: boolean;
  /** Only line items of this advertiser are told of; null: all. */
  readonly advertiser: string | null;
  /** Only these, null: all. */
  readonly lineItems: readonly string[] | null;
  /** Only line items that have this reason among theirs; null: all. */
  readonly reason: NoBidReason | null;
  /** Position to go on from, and how many line items to tell of. Totals are counted from 0 only. */
  readonly from: number;
  readonly limit: number;
}

export interface DebugProfile {
  /** Numbers of segments, and hours since each was entered (null: not known). */
  readonly segments: readonly { readonly segment: number; readonly hours: number | null }[];
}

export interface DebugBidAnswer {
  readonly version: number;
  /** What was taken as the time, epoch ms. */
  readonly now: number;
  readonly outcome: 'bid' | 'no_bid';
  /** Of the answer, null: not for this key. */
  readonly status: number | null;
  readonly reason: NoBidReason | BodyFault | null;
  /** As the exchange would get it, but that nobody honours its addresses. Null: no bid, or not for this key. */
  readonly response: WireResponse | null;
  /** Why nothing at all can be bid on the request: privacy, sampling, seats, the exchange's supply rule. */
  readonly reasons: readonly Finding[];
  /** What was not as the specification has it. */
  readonly quirks: readonly string[];
  readonly person: { readonly state: string; readonly source: 'given' | 'read' | 'assumed'; readonly segments: number };
  readonly permission: DebugPermission | null;
  readonly lineItems: readonly ExplainedLineItem[];
  /** Of the line items that were asked for, those that are not live. */
  readonly missing: readonly string[];
  /** Over all line items of the question; null where it goes on from another answer. */
  readonly totals: DebugTotals | null;
  /** Position to go on from, or null: that was all. */
  readonly next: number | null;
  /** Microseconds by step. */
  readonly timings: Readonly<Record<string, number>>;
}

/** Why a body cannot be read: answered with 400. */
export type BodyFault = 'malformed' | 'too_large' | 'unsupported_encoding';

export interface DebugPermission {
  readonly why: PrivacyReason;
  readonly bid: boolean;
  readonly childOnly: boolean;
  readonly identifiers: boolean;
  readonly profile: boolean;
  readonly caps: 'person' | 'own' | 'day' | null;
  readonly preciseLocation: boolean;
}

export interface DebugTotals {
  readonly lineItems: number;
  readonly bid: number;
  readonly heldOut: number;
  readonly outbid: number;
  readonly noBid: number;
  /** Line items by each of their reasons: one is counted under all that it has. */
  readonly reasons: Readonly<Partial<Record<NoBidReason, number>>>;
}

/** A reason why a line item does not bid. */
export interface Finding {
  readonly code: NoBidReason;
  /** Of the targeting or the line item, what did not pass: `osVersions`, `caps`, `bid`… */
  readonly part: string;
  /** Where it is about one place, or one deal of it. */
  readonly imp: string | null;
  readonly deal: string | null;
  /** What the request brings, in a form that depends on the part. */
  readonly have: unknown;
}

/** How a price came about, for one imp bought one way. Prices are CPM. */
export interface PriceStep {
  readonly imp: string;
  readonly deal: string | null;
  /** Micros in the line item's currency: the most it pays, and what remains by the distance to the store (metres). */
  readonly maxCpm: Micros;
  readonly metres: number | null;
  readonly price: Micros;
  readonly currency: string;
  /** What the seller asks, in its currency. */
  readonly floor: number;
  readonly floorCurrency: string;
  /** The floor is the price. */
  readonly fixed: boolean;
  /** What is bid, in the currency of the answer; null: it is not. */
  readonly offered: { readonly cpm: number; readonly currency: string; readonly rate: number } | null;
  /** Micros that one impression costs, and that the budgets have left (null: no budget limits it). */
  readonly cost: Micros | null;
  readonly budgetLeft: Micros | null;
}

export interface ExplainedLineItem {
  readonly lineItem: string;
  readonly campaign: string;
  readonly advertiser: string;
  readonly outcome: 'bid' | 'held_out' | 'outbid' | 'no_bid';
  readonly store: string | null;
  readonly reasons: readonly Finding[];
  readonly prices: readonly PriceStep[];
  /** Microseconds that asking it all of this took; an auction asks it up to the first reason. */
  readonly timings: { readonly explain: number };
}

/** Asks all workers what became of line items since they have counted. */
export interface DebugCounts {
  readonly kind: 'counts';
  readonly lineItems: readonly string[];
}

export interface DebugCountsAnswer {
  /** Epoch ms since when this worker counts. */
  readonly since: number;
  /** Epoch ms since when it serves the present snapshot, and requests that were matched since. */
  readonly servedSince: number;
  readonly requests: number;
  readonly lineItems: readonly LineItemCounts[];
}

export interface LineItemCounts {
  readonly lineItem: string;
  readonly bids: number;
  readonly reasons: Readonly<Partial<Record<NoBidReason, number>>>;
  /** Requests of the present snapshot for which it was passed over, by what of its targeting they were not. */
  readonly passedOver: readonly PassedOver[];
}

export interface PassedOver {
  readonly part: string;
  readonly code: NoBidReason;
  readonly requests: number;
}

/** Asks all workers for their sample of live requests, or for one of it. */
export interface DebugRequests {
  readonly kind: 'requests';
  readonly id: string | null;
}

export interface DebugRequestsAnswer {
  readonly requests: readonly SampledRequest[];
}

/** A live request without what names or places a person. */
export interface SampledRequest {
  readonly id: string;
  /** Epoch ms. */
  readonly at: number;
  readonly exchange: string;
  readonly outcome: 'bid' | NoBidReason;
  readonly privacy: PrivacyReason;
  /** It named a person. */
  readonly named: boolean;
  /** OpenRTB JSON. */
  readonly request: object;
}

export type DebugAnswer = DebugBidAnswer | DebugCountsAnswer | DebugRequestsAnswer;
