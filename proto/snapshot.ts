import type { Cover, Fence } from './fence.ts';
import type { WeekSpans } from './hours.ts';
import type { DataPrice, Micros } from './money.ts';

/** Everything that is live, as the bidders serve it: one version, published by the dmp, swapped whole. */
export interface Snapshot {
  readonly version: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly exchanges: readonly LiveExchange[];
  readonly stores: readonly LiveStore[];
  readonly geofences: readonly LiveGeofence[];
  readonly lineItems: readonly LiveLineItem[];
  /** Inventory lists that line items name. */
  readonly lists: readonly LiveList[];
  /** Units of each currency for one USD as published at `at` (epoch ms); older than two days they are not used. Null: none. */
  readonly rates: { readonly at: number; readonly perUsd: Readonly<Record<string, number>> } | null;
  /** Who may sell for whom, where a rule asks for it; absent: no rule does. */
  readonly supply?: LiveSupply;
}

/** Imported ads.txt and sellers.json files, as texts of one entry a line, so that a large one is cheap to carry and to skip. */
export interface LiveSupply {
  /** By domain: `<asi>/<account>`. */
  readonly adsTxt: Readonly<Record<string, string>>;
  /** By domain of the seller system: `P`, `I` or `B` (publisher, intermediary, both) and the seller's id. */
  readonly sellers: Readonly<Record<string, string>>;
}

export interface LiveExchange {
  readonly id: string;
  /** Milliseconds for the answer where the request has no tmax. */
  readonly defaultTmax: number;
  /** Milliseconds of the deadline that the network takes both ways. */
  readonly networkAllowance: number;
  /** Format of a request whose content type does not tell. */
  readonly format: 'json' | 'protobuf';
  /** Compression of answers; `auto`: as Accept-Encoding asks. */
  readonly gzip: 'auto' | 'always' | 'never';
  /** The event on which the exchange books money; `vast`: the VAST impression, and `burl` for what has none. */
  readonly billing: 'burl' | 'pixel' | 'nurl' | 'vast';
  /** Currency of prices in notices that name none; null: that of the bid. */
  readonly currency: string | null;
  /** Share of requests that are considered at all, 0 to 1. */
  readonly sampling: number;
  /** Its user-sync address with `${WALKIN_UID}`, or null. */
  readonly syncUrl: string | null;
  /** Our seat there, or null. */
  readonly seat: string | null;
  /**
   * The exchange is a simulation: its requests and notices may carry `x-walkin-time` (epoch ms), which then stands for the
   * clock of that one call. Never set for a real exchange.
   */
  readonly simulated: boolean;
  /** What the path must carry: `/openrtb2/<id>?token=…`, SHA-256 hex of it; null: no token. */
  readonly tokenHash: string | null;
  /** Answers no-bids with 200 and `nbr` instead of 204. */
  readonly sendsNoBidReason: boolean;
  /** Bids per imp at most, and whether a second seat bid is taken. */
  readonly bidsPerImp: number;
  /** Fields without which the exchange drops a bid: such a bid is not sent. */
  readonly requiredFields: readonly string[];
  /** How cleared prices come: plain, base64 of the decimal (`${AUCTION_PRICE:B64}`), or Google's encryption with these keys (base64). */
  readonly price:
    | { readonly kind: 'plain' }
    | { readonly kind: 'b64' }
    | { readonly kind: 'google'; readonly encryptionKey: string; readonly integrityKey: string };
  /** Whether a location of unknown type counts as the device's own. */
  readonly trustsUnknownLocation: boolean;
  /** `at` where the request's own cannot be read. */
  readonly defaultAuction: 1 | 2;
  /** Supply path: complete chains only, at most so many hops, only these sellers (`asi` or `asi/sid`), null any. */
  readonly supply: {
    readonly completeOnly: boolean;
    readonly maxHops: number | null;
    readonly sellers: readonly string[] | null;
    /** Where the seller's ads.txt, or a sellers.json of the chain, is known, it must list who sells. Absent: no. */
    readonly authorizedOnly?: boolean;
  };
  /** Ad-label block added as `bid.ext.nroa`, or null. */
  readonly adLabel: boolean;
  /** Requests a second that are answered at most, over all workers; null: no limit. */
  readonly qps: number | null;
  /** Bytes that an answer may have at most, uncompressed; null: ours. */
  readonly maxAnswerBytes: number | null;
  /**
   * In place of the path token: header `header` carries the lower-case hex HMAC-SHA256 of the raw body under `secret` (UTF-8). Null: no
   * signature is asked for.
   */
  readonly signature: { readonly header: string; readonly secret: string } | null;
}

export interface LiveStore {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly lat: number;
  readonly lon: number;
  readonly timeZone: string;
  /** Null: always open. */
  readonly hours: WeekSpans | null;
  readonly fence: Fence;
  readonly cover: Cover;
}

/** A fence that is not a store's. */
export interface LiveGeofence {
  readonly id: string;
  readonly fence: Fence;
  readonly cover: Cover;
}

export interface LiveLineItem {
  readonly id: string;
  readonly campaign: string;
  readonly advertiser: string;
  /** Domains of the advertiser: `adomain` of the bid, and where its clicks may lead. */
  readonly domains: readonly string[];
  /** Bundle of the advertised app, checked against `bapp`; '' none. */
  readonly bundle: string;
  /** ERID and advertiser block of the Russian ad label, or null. */
  readonly adLabel: { readonly erid: string; readonly inn: string; readonly name: string } | null;
  /** Children may see it. */
  readonly childSafe: boolean;
  /** Categories of the ad, checked against `bcat`: of Content Taxonomy 1.0 by themselves, of another one with its number before, `7:1029`. */
  readonly categories: readonly string[];
  readonly currency: string;
  /** Epoch ms, half open. */
  readonly start: number;
  readonly end: number;
  /** Micros of cost; null means unlimited. `campaign` is shared by the campaign's line items. */
  readonly budget: { readonly campaign: Micros | null; readonly total: Micros | null; readonly daily: Micros | null };
  readonly bid: BidRule;
  /** What the data that it stands on cost beside the media: budgets count both. Absent or null: nothing. */
  readonly data?: DataPrice | null;
  readonly caps: readonly FrequencyCap[];
  readonly targeting: Targeting;
  readonly holdout: { readonly share: number; readonly salt: string } | null;
  readonly creatives: readonly LiveCreative[];
}

/**
 * Price of a bid: `maxCpm`, and with `distance` the nearer to the nearest open store the more:
 * maxCpm × max(floorShare, 2^(−metres / halvesEvery)).
 */
export interface BidRule {
  readonly maxCpm: Micros;
  readonly distance: { readonly halvesEvery: number; readonly floorShare: number } | null;
}

/** At most `count` impressions to one person in each window of `windowMs`, aligned to the epoch. */
export interface FrequencyCap {
  readonly count: number;
  readonly windowMs: number;
}

/** Every part must pass; null means any. */
export interface Targeting {
  readonly exchanges: readonly string[] | null;
  /** Any of the numbers in each group; all groups. */
  readonly segments: readonly (readonly number[])[] | null;
  /** Deal ids: null open market and any deal without its own line item; otherwise only under one of these deals. */
  readonly deals: readonly string[] | null;
  /** The same rule as an exchange's `supply`, for this line item; null none. */
  readonly supply: LiveExchange['supply'] | null;
  readonly excludedSegments: readonly number[];
  /** Places: the device must be in a store's fence, or in a geofence. Ids into `stores` and `geofences`. */
  readonly stores: readonly string[] | null;
  readonly geofences: readonly string[] | null;
  /** Stores to promote where the fences are geofences or absent: the nearest open one is shown. Ids into `stores`. */
  readonly promotedStores: readonly string[];
  /** Only while a promoted store is open. */
  readonly openStoresOnly: boolean;
  /** OpenRTB device types. */
  readonly deviceTypes: readonly number[] | null;
  /** Lower-case `device.os`. */
  readonly os: readonly string[] | null;
  /** Least and, exclusive, highest `device.osv` ("14", "9.1"), compared number by number; a device without one does not pass. */
  readonly osVersions: { readonly from: string | null; readonly below: string | null } | null;
  /** Lower-case `device.make`; lower-case `device.model`. */
  readonly makes: readonly string[] | null;
  readonly models: readonly string[] | null;
  /** Lower-case names of browsers, see `bidder/openrtb/browser.ts`. */
  readonly browsers: readonly string[] | null;
  /** Lower-case `device.carrier`, or its MCC-MNC. */
  readonly carriers: readonly string[] | null;
  /** OpenRTB connection types. */
  readonly connectionTypes: readonly number[] | null;
  /** ISO 639-1 lower case, of the device. */
  readonly languages: readonly string[] | null;
  /** Places by name: any of `include` (null any) and none of `exclude`. */
  readonly geo: { readonly include: readonly GeoName[] | null; readonly exclude: readonly GeoName[] } | null;
  readonly inventory: readonly ('site' | 'app' | 'dooh')[] | null;
  /** Ids into `lists`: one of `include` (null any) must hold the request's site, app, bundle, domain or publisher, none of `exclude` may. */
  readonly lists: { readonly include: readonly string[] | null; readonly exclude: readonly string[] } | null;
  /** Content of the page, app or video: upper-case category ids of the IAB taxonomy (a parent stands for its children), language. */
  readonly content: {
    readonly include: readonly string[] | null;
    readonly exclude: readonly string[];
    readonly languages: readonly string[] | null;
  } | null;
  /** OpenRTB ad positions of the place. */
  readonly positions: readonly number[] | null;
  /** Least viewability that the request measures (`imp.metric` of type "viewability"), 0 to 1; an imp without a measure does not pass. */
  readonly viewability: number | null;
  /** Only full-screen or rewarded places, or only others; null any. */
  readonly interstitial: boolean | null;
  readonly rewarded: boolean | null;
  /** Segments that the request itself brings, `<segtax>:<id>` or `<data name lower case>:<id>`: any of each group, all groups. */
  readonly userData: readonly (readonly string[])[] | null;
  /** Sources of extended ids (`eids[].source`, lower case), of which the request must have one. */
  readonly eids: readonly string[] | null;
  /**
   * Own segments as a rule in conjunctive form, beside `segments`: each clause holds where one of its literals does. A literal is a
   * membership, or its absence, entered at most `withinHours` ago (null: at any time).
   */
  readonly segmentRule: readonly (readonly SegmentLiteral[])[] | null;
  readonly dayparts: WeekSpans | null;
  /** Zone of the dayparts where the request has no utcoffset. */
  readonly timeZone: string;
}

/** Upper-case country (alpha-3), region (ISO 3166-2 without the country), lower-case city, zip as `zipKey` writes it; null any. */
export interface GeoName {
  readonly country: string;
  readonly region: string | null;
  readonly city: string | null;
  readonly zip: string | null;
}

export interface SegmentLiteral {
  readonly segment: number;
  readonly not: boolean;
  readonly withinHours: number | null;
}

/** A list of inventory, up to 100,000 entries of one kind. */
export interface LiveList {
  readonly id: string;
  /** `domain` and `bundle` lower case; a domain stands for all under it. */
  readonly kind: 'domain' | 'bundle' | 'site' | 'app' | 'publisher';
  /** One entry a line, so that a large one is cheap to carry. */
  readonly entries: string;
}

/** The targeting that any request passes: others are written as what they narrow. */
export const ANY: Targeting = {
  exchanges: null,
  segments: null,
  deals: null,
  supply: null,
  excludedSegments: [],
  stores: null,
  geofences: null,
  promotedStores: [],
  openStoresOnly: false,
  deviceTypes: null,
  os: null,
  osVersions: null,
  makes: null,
  models: null,
  browsers: null,
  carriers: null,
  connectionTypes: null,
  languages: null,
  geo: null,
  inventory: null,
  lists: null,
  content: null,
  positions: null,
  viewability: null,
  interstitial: null,
  rewarded: null,
  userData: null,
  eids: null,
  segmentRule: null,
  dayparts: null,
  timeZone: 'UTC',
};

interface LiveCreativeBase {
  readonly id: string;
  /** Where a click leads, with Walkin macros; a host among the advertiser's domains. */
  readonly landing: string;
  readonly iurl: string | null;
  /** OpenRTB creative attributes, checked against `battr`. */
  readonly attributes: readonly number[];
  /** APIs (OpenRTB List: API Frameworks) of which the place must offer one; absent or empty: it needs none. */
  readonly apis?: readonly number[];
  /** Language of the creative, ISO 639-1 lower case, or null. */
  readonly language: string | null;
  /** Exchanges that refused it, or where it waits for approval: it is not bid there. */
  readonly blockedExchanges: readonly string[];
}

export interface LiveBanner extends LiveCreativeBase {
  readonly type: 'banner';
  readonly w: number;
  readonly h: number;
  /** HTML with Walkin macros, see `macros.ts`. */
  readonly html: string;
}

/** Served as VAST 4. */
export interface LiveVideo extends LiveCreativeBase {
  readonly type: 'video';
  /** Seconds. */
  readonly duration: number;
  /** Seconds until it may be skipped, or null: not skippable. */
  readonly skipAfter: number | null;
  readonly title: string;
  readonly media: readonly MediaFile[];
}

/** Served as VAST 4 with audio media files. */
export interface LiveAudio extends LiveCreativeBase {
  readonly type: 'audio';
  readonly duration: number;
  readonly title: string;
  readonly media: readonly MediaFile[];
}

export interface MediaFile {
  readonly url: string;
  readonly mime: string;
  /** kbit/s */
  readonly bitrate: number;
  readonly w: number;
  readonly h: number;
}

/** Texts may hold Walkin macros. */
export interface LiveNative extends LiveCreativeBase {
  readonly type: 'native';
  readonly title: string;
  /** By OpenRTB data asset type: 1 sponsored, 2 desc, 12 cta … */
  readonly data: Readonly<Record<string, string>>;
  readonly images: readonly { readonly type: number; readonly url: string; readonly w: number; readonly h: number }[];
}

export type LiveCreative = LiveBanner | LiveVideo | LiveAudio | LiveNative;
