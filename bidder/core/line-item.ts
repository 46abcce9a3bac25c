import type { DataPrice } from '../../proto/money.ts';
import type { BidRule, FrequencyCap, LiveLineItem, LiveNative, MediaFile, Targeting } from '../../proto/snapshot.ts';

/** A live line item as it is decided on, made out of the index. */
export interface LineItem {
  readonly id: string;
  /** In the index, by falling price. */
  readonly position: number;
  readonly campaign: string;
  readonly advertiser: string;
  readonly domains: readonly string[];
  readonly bundle: string;
  readonly adLabel: LiveLineItem['adLabel'];
  readonly childSafe: boolean;
  readonly categories: readonly string[];
  readonly currency: string;
  readonly start: number;
  readonly end: number;
  readonly budget: LiveLineItem['budget'];
  /** Whether any budget limits it, so that it needs an allowance. */
  readonly limited: boolean;
  readonly bid: BidRule;
  readonly data: DataPrice | null;
  readonly caps: readonly FrequencyCap[];
  readonly holdout: { readonly share: number; readonly salt: string } | null;
  /** Deals under which alone it bids, or null. */
  readonly deals: ReadonlySet<string> | null;
  /** What it asks of the place for the ad, null: nothing. */
  readonly spot: Pick<Targeting, 'positions' | 'viewability' | 'interstitial' | 'rewarded'> | null;
  readonly creatives: readonly Creative[];
}

interface CreativeBase {
  readonly id: string;
  /** Even entries text, odd entries names of macros; so are all texts of creatives. */
  readonly landing: readonly string[];
  readonly iurl: string | null;
  readonly attributes: readonly number[];
  /** APIs of which the place must offer one; empty: it needs none. */
  readonly apis: readonly number[];
  readonly language: string | null;
  readonly blockedExchanges: readonly string[];
  /** Nothing in it is fetched without TLS. */
  readonly secure: boolean;
  /** About how long its markup is without our addresses. */
  readonly bytes: number;
}

export interface Banner extends CreativeBase {
  readonly type: 'banner';
  readonly w: number;
  readonly h: number;
  readonly html: readonly string[];
  /** OpenRTB banner types that it is of. */
  readonly kinds: readonly number[];
  /** Made with its first bid. */
  written?: WrittenBanner | null;
}

/** What the JSON of each bid of a banner says alike. */
export interface WrittenBanner {
  /** As in the creative, even entries as text within JSON. */
  readonly html: readonly string[];
  /** As in the creative, even entries as a part of an address. */
  readonly landing: readonly string[];
  /** Members of the bid from `adomain` to `language`, and from `w` to `mtype`. */
  readonly about: string;
  readonly size: string;
}

export interface Video extends CreativeBase {
  readonly type: 'video';
  /** Seconds. */
  readonly duration: number;
  readonly skipAfter: number | null;
  readonly title: readonly string[];
  readonly media: readonly MediaFile[];
}

export interface Audio extends CreativeBase {
  readonly type: 'audio';
  /** Seconds. */
  readonly duration: number;
  readonly title: readonly string[];
  readonly media: readonly MediaFile[];
}

export interface Native extends CreativeBase {
  readonly type: 'native';
  readonly title: readonly string[];
  /** By data asset type. */
  readonly data: ReadonlyMap<number, readonly string[]>;
  readonly images: readonly (LiveNative['images'][number] & { readonly mime: string })[];
}

export type Creative = Banner | Video | Audio | Native;
