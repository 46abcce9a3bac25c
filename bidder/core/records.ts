import { splitMacros } from '../../proto/macros.ts';
import { areSecure, bannerKinds, isSecure } from '../../proto/shapes.ts';
import type { LiveCreative, LiveLineItem, LiveNative } from '../../proto/snapshot.ts';
import type { WrittenLineItem } from '../../proto/snapshot-parts.ts';
import { imageMime } from './fit-native.ts';
import type { Creative, LineItem } from './line-item.ts';

/**
 * A line item lies in the buffer as it was published. It is made into a `LineItem` once it may bid, and kept for a while; of the others nothing
 * is on the heap. To make all of them when a snapshot is compiled took half of the compiler's time.
 */
export function readLineItem(json: string, position: number): LineItem {
  const written = JSON.parse(json) as WrittenLineItem;
  const { targeting, holdout } = written;
  return {
    id: written.id,
    position,
    campaign: written.campaign,
    advertiser: written.advertiser,
    domains: written.domains.map((domain) => domain.toLowerCase()),
    bundle: written.bundle,
    adLabel: written.adLabel,
    childSafe: written.childSafe,
    categories: written.categories.map((category) => category.toUpperCase()),
    currency: written.currency,
    start: written.start,
    end: written.end,
    budget: written.budget,
    limited: isLimited(written),
    bid: written.bid,
    data: written.data ?? null,
    caps: written.caps,
    holdout: holdout !== null && holdout.share > 0 ? holdout : null,
    deals: targeting.deals === undefined || targeting.deals === null ? null : new Set(targeting.deals),
    spot: spotOf(targeting),
    creatives: written.creatives.map(creativeOf),
  };
}

/** What of a record its money is leased by: without its creatives it is made in a fraction of the time. */
export function readSpender(
  json: string,
): Pick<LineItem, 'id' | 'campaign' | 'budget' | 'limited' | 'start' | 'end' | 'bid' | 'data'> {
  const { id, campaign, budget, start, end, bid, data = null } = JSON.parse(json) as WrittenLineItem;
  return { id, campaign, budget, limited: isLimited({ budget }), start, end, bid, data };
}

export function isLimited({ budget }: Pick<LiveLineItem, 'budget'>): boolean {
  return budget.campaign !== null || budget.total !== null || budget.daily !== null;
}

function spotOf({
  positions = null,
  viewability = null,
  interstitial = null,
  rewarded = null,
}: WrittenLineItem['targeting']): LineItem['spot'] {
  const any = positions === null && viewability === null && interstitial === null && rewarded === null;
  return any ? null : { positions, viewability, interstitial, rewarded };
}

/** Assigned, not spread: fields that are written behind a spread took three times as long as all else. */
function creativeOf(live: LiveCreative): Creative {
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
      return { type, w, h, html: splitMacros(html), kinds: bannerKinds(html), secure: isSecure(html), written: null };
    }
    case 'video': {
      const { type, duration, skipAfter, media } = live;
      return { type, duration, skipAfter, title: splitMacros(live.title), media, secure: areSecure(media) };
    }
    case 'audio': {
      const { type, duration, media } = live;
      return { type, duration, title: splitMacros(live.title), media, secure: areSecure(media) };
    }
    case 'native':
      return nativeOf(live);
  }
}

function nativeOf(live: LiveNative) {
  const { type } = live;
  const data = new Map(Object.entries(live.data).map(([asset, value]) => [Number(asset), splitMacros(value)] as const));
  const images = live.images.map((image) => ({ ...image, mime: imageMime(image.url) }));
  return { type, title: splitMacros(live.title), data, images, secure: areSecure(images) };
}
