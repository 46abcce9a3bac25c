import { splitMacros } from '../../proto/macros.ts';
import type { LiveCreative, LiveLineItem, Targeting } from '../../proto/snapshot.ts';
import { bannerKinds } from './fit-banner.ts';
import { imageMime } from './fit-native.ts';
import type { Creative, LineItem, Native } from './line-item.ts';

/**
 * A line item as it lies in the buffer: JSON of what is wanted once it may bid. It is made into a `LineItem` then, and kept for a
 * while; of the others nothing is on the heap.
 */
type Stored = Omit<LineItem, 'position' | 'deals' | 'creatives'> & {
  readonly deals: readonly string[] | null;
  readonly creatives: readonly StoredCreative[];
};
type StoredCreative = Exclude<Creative, Native> | StoredNative;
type StoredNative = Omit<Native, 'data'> & { readonly data: readonly (readonly [number, readonly string[]])[] };

export function storedLineItem(live: LiveLineItem, creatives: readonly StoredCreative[]): Stored {
  const { budget, targeting } = live;
  return {
    id: live.id,
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
    limited: isLimited(live),
    bid: live.bid,
    data: live.data ?? null,
    caps: live.caps,
    holdout: live.holdout !== null && live.holdout.share > 0 ? live.holdout : null,
    deals: targeting.deals,
    spot: spotOf(targeting),
    creatives,
  };
}

export function isLimited({ budget }: LiveLineItem): boolean {
  return budget.campaign !== null || budget.total !== null || budget.daily !== null;
}

function spotOf({ positions, viewability, interstitial, rewarded }: Targeting): LineItem['spot'] {
  const any = positions === null && viewability === null && interstitial === null && rewarded === null;
  return any ? null : { positions, viewability, interstitial, rewarded };
}

/** The line item of a record. */
export function readLineItem(json: string, position: number): LineItem {
  const stored = JSON.parse(json) as Stored;
  return {
    id: stored.id,
    position,
    campaign: stored.campaign,
    advertiser: stored.advertiser,
    domains: stored.domains,
    bundle: stored.bundle,
    adLabel: stored.adLabel,
    childSafe: stored.childSafe,
    categories: stored.categories,
    currency: stored.currency,
    start: stored.start,
    end: stored.end,
    budget: stored.budget,
    limited: stored.limited,
    bid: stored.bid,
    data: stored.data,
    caps: stored.caps,
    holdout: stored.holdout,
    deals: stored.deals === null ? null : new Set(stored.deals),
    spot: stored.spot,
    creatives: stored.creatives.map(readCreative),
  };
}

function readCreative(stored: StoredCreative): Creative {
  return stored.type === 'native' ? { ...stored, data: new Map(stored.data) } : stored;
}

/** Assigned, not spread: fields that are written behind a spread took three times as long as all else. */
export function storedCreative(live: LiveCreative): StoredCreative {
  return Object.assign(baseOf(live), ownOf(live));
}

function baseOf(live: LiveCreative) {
  return {
    id: live.id,
    landing: splitMacros(live.landing),
    iurl: live.iurl,
    attributes: live.attributes,
    apis: live.apis ?? [],
    language: live.language === null ? null : live.language.toLowerCase(),
    blockedExchanges: live.blockedExchanges,
    bytes: JSON.stringify(live).length,
  };
}

function ownOf(live: LiveCreative) {
  switch (live.type) {
    case 'banner': {
      const { type, w, h, html } = live;
      return { type, w, h, html: splitMacros(html), kinds: bannerKinds(html), secure: isSecure(html) };
    }
    case 'video': {
      const { type, duration, skipAfter, media } = live;
      return { type, duration, skipAfter, title: splitMacros(live.title), media, secure: areSecure(media) };
    }
    case 'audio': {
      const { type, duration, media } = live;
      return { type, duration, title: splitMacros(live.title), media, secure: areSecure(media) };
    }
    case 'native': {
      const { type } = live;
      const data = Object.entries(live.data).map(([asset, value]) => [Number(asset), splitMacros(value)] as const);
      const images = live.images.map((image) => ({ ...image, mime: imageMime(image.url) }));
      return { type, title: splitMacros(live.title), data, images, secure: areSecure(images) };
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
