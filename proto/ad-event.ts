import type { Micros } from './money.ts';
import type { PrivacyReason } from './privacy/table.ts';
import type { LiveExchange } from './snapshot.ts';

/**
 * What happened to a bid. The bidder writes these to the stream, the dmp into ClickHouse. An event is known by (type, bid), of
 * `view` and `media` by (type, bid, detail): a repetition changes nothing. Every notice carries the whole bid, so a bid whose
 * own event was lost is known by its notices.
 *
 * `unsent` is a bid that was decided and did not leave; `detail` says why (`UnsentReason`). It is no bid to anybody who counts bids. But whom it was decided for is
 * of the treated of an experiment, as one of whom a ghost is kept is of the control: both at the decision, whatever became of the answer.
 */
export type AdEventType = 'bid' | 'ghost' | 'win' | 'billing' | 'loss' | 'impression' | 'click' | 'view' | 'media' | 'unsent';

/** `late`: its answer was. `too_large`: the exchange takes no answer as long. `budget`: its allowance ended while it was decided. */
export type UnsentReason = 'late' | 'too_large' | 'budget';

/** The part of a bid that its notices carry, signed. */
export interface BidRecord {
  /** Id of the bid, unique over all workers and time. */
  readonly bid: string;
  /** When it was decided, epoch ms. */
  readonly bidAt: number;
  readonly exchange: string;
  /** `request.id` */
  readonly auction: string;
  readonly imp: string;
  readonly lineItem: string;
  readonly campaign: string;
  readonly advertiser: string;
  readonly creative: string;
  /** Store that the ad shows, or ''. */
  readonly store: string;
  /** Key of the identifier that named the person, or ''. */
  readonly identifier: string;
  /** Anchor under which caps and buckets are kept, or ''. */
  readonly anchor: string;
  /** Price of the bid, micros of CPM in the line item's currency: what budgets are kept in. */
  readonly price: Micros;
  /** Lease that the bid was reserved from, or ''. */
  readonly lease: string;
  /** OpenRTB `test` = 1: logged, never charged. */
  readonly test: boolean;
  /** Currency of the bid on the wire, and its price in it, micros of CPM: what the exchange's prices are compared with. */
  readonly currency: string;
  readonly offered: Micros;
  /** People who see one play of it (DOOH), by which its cost counts; 1 elsewhere. */
  readonly multiplier: number;
  /** Deal that it was made under, or ''. */
  readonly deal: string;
  /** OpenRTB markup type: 1 banner, 2 video, 3 audio, 4 native. */
  readonly mtype: number;
  /** Why the bid knew what it knew: a reason of the table of privacy. Absent in bids made before there was one. */
  readonly privacy?: PrivacyReason;
  /** Which consent strings that was read from: `consentHash`, never the strings; '' there were none. Absent like `privacy`. */
  readonly consent?: string;
  /** `at` of the request, or what the exchange's is where it says none: 1 first price, 2 second, 3 fixed. Absent like `privacy`. */
  readonly auctionType?: number;
  /**
   * `billing` of the exchange when the bid was made: on this it is charged, also where the exchange bills otherwise since, or is gone.
   * Absent like `privacy`.
   */
  readonly billedBy?: LiveExchange['billing'];
}

export interface AdEvent extends BidRecord {
  readonly type: AdEventType;
  /** When it happened, epoch ms; for bid, ghost and unsent equal to bidAt. */
  readonly at: number;
  /** Clearing price where known (win, billing, impression), micros of CPM. */
  readonly clearing: Micros | null;
  /** What it cost, micros; only on the event that the exchange bills on. */
  readonly cost: Micros;
  /** What its data cost beside, micros; on the same event. Budgets count both. Absent: nothing. */
  readonly data?: Micros;
  /** OpenRTB loss reason, or null. */
  readonly lossReason: number | null;
  /** Minimum to win, micros of CPM, where told. */
  readonly minToWin: Micros | null;
  /** Metres from the device to the store, or null. */
  readonly metres: number | null;
  /** People who saw the play, where the exchange told; without it as many as promised, `multiplier`. */
  readonly exposures?: number;
  /** Of `view` and `media` what happened: an event of `EVENT_DETAILS` of the bidder's notice paths. Of `unsent` why. */
  readonly detail?: string;
}

/**
 * The event as it leaves the bidder. Where the person may not be named, the key under which impressions are counted is told
 * neither: it is in the notice's address only.
 */
export function encodeAdEvent(event: AdEvent): string {
  return JSON.stringify(event.identifier === '' ? { ...event, anchor: '' } : event);
}
