import { fenceRadius } from '../../proto/fence.ts';
import type { WeekSpans } from '../../proto/hours.ts';
import { splitMacros } from '../../proto/macros.ts';
import type { Micros } from '../../proto/money.ts';
import type {
  BidRule,
  FrequencyCap,
  LiveCreative,
  LiveExchange,
  LiveLineItem,
  LiveNative,
  LiveStore,
  MediaFile,
  Snapshot,
} from '../../proto/snapshot.ts';
import { compileSupply, type SupplyLists } from '../supply.ts';
import { bannerKinds } from './fit-banner.ts';
import { imageMime } from './fit-native.ts';
import { type GeoIndex, indexPlaces, type Place } from './geo.ts';

/** A snapshot compiled for deciding. Immutable: a request keeps the index that it began with. */
export interface Index {
  readonly version: number;
  /** When the snapshot was made, epoch ms. */
  readonly at: number;
  readonly exchanges: ReadonlyMap<string, LiveExchange>;
  /** How many line items are live. Their positions are 0 to `size` − 1. */
  readonly size: number;
  lineItem(id: string): LineItem | undefined;
  lineItemAt(position: number): LineItem;
  /** Domains of an advertiser who has something live; null where there is none. */
  domainsOf(advertiser: string): readonly string[] | null;
  /** Line items that any place may match. */
  readonly anywhere: readonly LineItem[];
  /** Whether any line item is bound to places. */
  readonly hasFenced: boolean;
  readonly geo: GeoIndex<FencedPlace>;
  /** Deals for which some line item is made. */
  readonly deals: ReadonlySet<string>;
  readonly rates: Snapshot['rates'];
  readonly supply: SupplyLists;
}

/** A store's fence or a geofence, with the line items bound to it. */
export interface FencedPlace extends Place {
  readonly store: LiveStore | null;
  readonly lineItems: readonly LineItem[];
}

export interface LineItem {
  readonly id: string;
  /** Position in the snapshot, for fair ties. */
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
  readonly caps: readonly FrequencyCap[];
  readonly holdout: { readonly share: number; readonly salt: string } | null;
  readonly exchanges: ReadonlySet<string> | null;
  /** Deals under which alone it bids, or null. */
  readonly deals: ReadonlySet<string> | null;
  readonly supply: LiveExchange['supply'] | null;
  readonly segments: readonly (readonly number[])[] | null;
  readonly excludedSegments: readonly number[];
  /** Whether it cannot be decided without knowing who is asked for. */
  readonly needsPerson: boolean;
  readonly deviceTypes: ReadonlySet<number> | null;
  readonly os: ReadonlySet<string> | null;
  readonly dayparts: WeekSpans | null;
  readonly timeZone: string;
  readonly promotedStores: readonly LiveStore[];
  readonly openStoresOnly: boolean;
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

/** Compiles a snapshot and opens what comes of it: for tests and small tools. */
export function buildIndex(snapshot: Snapshot): Index {
  return openIndex(compileIndex(snapshot));
}

/** Compiles a snapshot into one buffer. Throws where it is not one: the caller keeps what it has. */
export function compileIndex(snapshot: Snapshot): ArrayBuffer {
  const bytes = new TextEncoder().encode(JSON.stringify(snapshot));
  return bytes.buffer as ArrayBuffer;
}

/** The index in a buffer of `compileIndex`. Throws where the buffer is none. */
export function openIndex(buffer: ArrayBuffer): Index {
  const snapshot = JSON.parse(new TextDecoder().decode(buffer)) as Snapshot;
  const stores = new Map(snapshot.stores.map((store) => [store.id, store]));
  const compiled = snapshot.lineItems.map((live, position) => compileLineItem(live, position, stores));
  const places = new Map<string, { place: FencedPlace; lineItems: LineItem[] }>();
  for (const store of snapshot.stores) places.set(`store:${store.id}`, placeOf(store, store));
  for (const geofence of snapshot.geofences) places.set(`geofence:${geofence.id}`, placeOf(geofence, null));
  const anywhere: LineItem[] = [];
  snapshot.lineItems.forEach(({ targeting }, position) => {
    const lineItem = compiled[position] as LineItem;
    if (targeting.stores === null && targeting.geofences === null) anywhere.push(lineItem);
    for (const id of targeting.stores ?? []) places.get(`store:${id}`)?.lineItems.push(lineItem);
    for (const id of targeting.geofences ?? []) places.get(`geofence:${id}`)?.lineItems.push(lineItem);
  });
  const byId = new Map(compiled.map((lineItem) => [lineItem.id, lineItem]));
  const bound = [...places.values()].filter(({ lineItems }) => lineItems.length > 0).map(({ place }) => place);
  return {
    version: snapshot.version,
    at: snapshot.at,
    exchanges: new Map(snapshot.exchanges.map((exchange) => [exchange.id, exchange])),
    size: compiled.length,
    lineItem: (id) => byId.get(id),
    lineItemAt: (position) => compiled[position] as LineItem,
    domainsOf: (advertiser) => compiled.find((lineItem) => lineItem.advertiser === advertiser)?.domains ?? null,
    anywhere,
    hasFenced: anywhere.length < compiled.length,
    geo: indexPlaces(bound),
    deals: new Set(snapshot.lineItems.flatMap(({ targeting }) => targeting.deals ?? [])),
    rates: snapshot.rates,
    supply: compileSupply(snapshot.supply),
  };
}

function placeOf({ fence, cover }: Pick<Place, 'fence' | 'cover'>, store: LiveStore | null) {
  const lineItems: LineItem[] = [];
  return { place: { fence, cover, radius: fenceRadius(fence), store, lineItems }, lineItems };
}

function compileLineItem(live: LiveLineItem, position: number, stores: ReadonlyMap<string, LiveStore>): LineItem {
  const { targeting, budget } = live;
  return {
    id: live.id,
    position,
    campaign: live.campaign,
    advertiser: live.advertiser,
    domains: live.domains.map((domain) => domain.toLowerCase()),
    bundle: live.bundle,
    adLabel: live.adLabel,
    childSafe: live.childSafe,
    categories: live.categories.map((category) => category.toUpperCase()),
    currency: live.currency,
    start: live.start,
    end: live.end,
    budget,
    limited: budget.campaign !== null || budget.total !== null || budget.daily !== null,
    bid: live.bid,
    caps: live.caps,
    holdout: live.holdout !== null && live.holdout.share > 0 ? live.holdout : null,
    exchanges: setOf(targeting.exchanges),
    deals: setOf(targeting.deals),
    supply: targeting.supply,
    segments: targeting.segments,
    excludedSegments: targeting.excludedSegments,
    needsPerson: live.caps.length > 0 || targeting.segments !== null || targeting.excludedSegments.length > 0 || hasHoldout(live),
    deviceTypes: setOf(targeting.deviceTypes),
    os: setOf(targeting.os),
    dayparts: targeting.dayparts,
    timeZone: targeting.timeZone,
    promotedStores: targeting.promotedStores.flatMap((id) => stores.get(id) ?? []),
    openStoresOnly: targeting.openStoresOnly,
    creatives: live.creatives.map(compileCreative),
  };
}

function hasHoldout(live: LiveLineItem): boolean {
  return live.holdout !== null && live.holdout.share > 0;
}

function setOf<Value>(values: readonly Value[] | null): ReadonlySet<Value> | null {
  return values === null ? null : new Set(values);
}

function compileCreative(live: LiveCreative): Creative {
  const { id, iurl, attributes, blockedExchanges } = live;
  const language = live.language === null ? null : live.language.toLowerCase();
  const text = JSON.stringify(live);
  const base = { id, landing: splitMacros(live.landing), iurl, attributes, apis: live.apis ?? [], language, blockedExchanges, bytes: text.length };
  switch (live.type) {
    case 'banner': {
      const { w, h, html } = live;
      return { ...base, type: 'banner', w, h, html: splitMacros(html), kinds: bannerKinds(html), secure: isSecure(html) };
    }
    case 'video': {
      const { duration, skipAfter, media } = live;
      return { ...base, type: 'video', duration, skipAfter, title: splitMacros(live.title), media, secure: areSecure(media) };
    }
    case 'audio': {
      const { duration, media } = live;
      return { ...base, type: 'audio', duration, title: splitMacros(live.title), media, secure: areSecure(media) };
    }
    case 'native': {
      const data = new Map(Object.entries(live.data).map(([type, value]) => [Number(type), splitMacros(value)]));
      const images = live.images.map((image) => ({ ...image, mime: imageMime(image.url) }));
      return { ...base, type: 'native', title: splitMacros(live.title), data, images, secure: areSecure(images) };
    }
  }
}

/** Names of XML namespaces look like addresses and are none. */
function isSecure(html: string): boolean {
  return !/http:\/\/(?!www\.w3\.org\/)/i.test(html);
}

function areSecure(files: readonly { readonly url: string }[]): boolean {
  return files.every(({ url }) => /^https:/i.test(url));
}

/** The most that one impression of a line item can cost, micros. */
export function highestCost(lineItem: LineItem): Micros {
  return Math.round(lineItem.bid.maxCpm / 1000);
}
