import { ANY, type LiveCreative, type LiveLineItem } from '../../proto/snapshot.ts';
import { createDraw, type Draw } from './draw.ts';
import { CITY_FENCES, fenceCity, fenceId } from './fences.ts';

export const SEGMENTS = 1_000;
/** The exchange of the bench, and one whose line items never match. */
export const EXCHANGE = 'bench';
const OTHER_EXCHANGE = 'elsewhere';
export const SIZES = [
  [320, 50],
  [300, 250],
  [728, 90],
  [320, 480],
  [160, 600],
  [300, 600],
  [970, 250],
  [320, 100],
] as const;
export const OPERATING_SYSTEMS = ['android', 'ios', 'windows', 'macos'] as const;
/** OpenRTB device types: phone, tablet, personal computer, connected TV. */
export const DEVICE_TYPES = [4, 5, 2, 3] as const;
export const CATEGORIES = Array.from({ length: 26 }, (_, top) => [`IAB${top + 1}`, `IAB${top + 1}-1`, `IAB${top + 1}-2`]).flat();
export const ADVERTISERS = 500;
const LINE_ITEMS_A_CAMPAIGN = 10;
const DAY = 86_400_000;
/** So large that no run uses it up, so that every line item pays the whole price of being accounted. */
const BUDGET = 1e15;

export const advertiserDomain = (index: number): string => `advertiser-${index}.example`;
export const lineItemId = (index: number): string => `li_${index}`;

/** Half of them bound to fences (the even ones), the others to segments, devices, sizes and hours. */
export function drawLineItems(seed: number, count: number, fences: number, stores: number): LiveLineItem[] {
  return [...eachLineItem(seed, count, fences, stores)];
}

/** One by one: a million of them at once are four gigabytes. */
export function* eachLineItem(seed: number, count: number, fences: number, stores: number): Generator<LiveLineItem> {
  const draw = createDraw(seed, 2);
  for (let index = 0; index < count; index++) yield drawLineItem(draw, index, fences, stores);
}

function drawLineItem(draw: Draw, index: number, fences: number, stores: number): LiveLineItem {
  const fenced = index % 2 === 0;
  const campaign = Math.floor(index / LINE_ITEMS_A_CAMPAIGN);
  const advertiser = campaign % ADVERTISERS;
  return {
    id: lineItemId(index),
    campaign: `cmp_${campaign}`,
    advertiser: `adv_${advertiser}`,
    domains: [advertiserDomain(advertiser)],
    categories: [CATEGORIES[advertiser % CATEGORIES.length] as string],
    bundle: '',
    adLabel: null,
    childSafe: false,
    currency: 'USD',
    start: 0,
    end: Date.UTC(2100, 0),
    budget: { campaign: BUDGET, total: draw.chance(0.5) ? BUDGET : null, daily: draw.chance(0.5) ? BUDGET : null },
    bid: {
      maxCpm: Math.round(1.5e6 * Math.exp(0.5 * draw.normal())),
      distance: fenced && draw.chance(0.5) ? { halvesEvery: 400, floorShare: 0.4 } : null,
    },
    caps: draw.chance(0.5) ? [{ count: 3 + draw.below(5), windowMs: DAY }] : [],
    targeting: {
      ...ANY,
      ...(fenced ? fencedTargeting(draw, index, fences, stores) : audienceTargeting(draw)),
      exchanges: draw.chance(0.2) ? [draw.chance(0.5) ? EXCHANGE : OTHER_EXCHANGE] : null,
      openStoresOnly: false,
      stores: null,
      timeZone: 'UTC',
      deals: null,
      supply: null,
    },
    holdout: null,
    creatives: drawCreatives(draw, index, advertiser),
  };
}

/** The first fence of each is its own, so that all are used; the second is any of the same city. */
function fencedTargeting(draw: Draw, index: number, fences: number, stores: number) {
  const perCity = Math.min(fences, CITY_FENCES);
  const own = Math.floor(index / 2) % perCity;
  const city = fenceCity(Math.floor(index / CITY_FENCES));
  return {
    geofences: [fenceId(city, own), fenceId(city, draw.below(perCity))],
    promotedStores: Array.from({ length: 1 + draw.below(3) }, () => `st_${draw.below(stores)}`),
    segments: draw.chance(0.1) ? [drawSegments(draw, 20)] : null,
    excludedSegments: draw.chance(0.2) ? drawSegments(draw, 3) : [],
    deviceTypes: draw.chance(0.3) ? [4, 5] : null,
    os: draw.chance(0.2) ? [draw.pick(OPERATING_SYSTEMS)] : null,
    dayparts: null,
  };
}

function audienceTargeting(draw: Draw) {
  return {
    geofences: null,
    promotedStores: [],
    segments: Array.from({ length: 1 + draw.below(2) }, () => drawSegments(draw, 1 + draw.below(3))),
    excludedSegments: draw.chance(0.3) ? drawSegments(draw, 3) : [],
    deviceTypes: draw.chance(0.5) ? [draw.pick(DEVICE_TYPES)] : null,
    os: draw.chance(0.4) ? [draw.pick(OPERATING_SYSTEMS)] : null,
    dayparts: draw.chance(0.3) ? drawDayparts(draw) : null,
  };
}

function drawSegments(draw: Draw, count: number): number[] {
  return Array.from({ length: count }, () => 1 + draw.below(SEGMENTS));
}

/** Eight hours of each day. */
function drawDayparts(draw: Draw): [number, number][] {
  const from = draw.below(16) * 60;
  return Array.from({ length: 7 }, (_, day) => [day * 1440 + from, day * 1440 + from + 480]);
}

function drawCreatives(draw: Draw, index: number, advertiser: number): LiveCreative[] {
  return Array.from({ length: 1 + draw.below(2) }, (_, at) => {
    const [w, h] = SIZES[Math.min(draw.below(SIZES.length), draw.below(SIZES.length))] as readonly [number, number];
    const image = `https://cdn.${advertiserDomain(advertiser)}/${index}/${w}x${h}.jpg`;
    return {
      id: `cr_${index}_${at}`,
      type: 'banner',
      w,
      h,
      html: `<a href="\${CLICK_URL}" target="_blank" rel="noopener" style="display:block"><img src="${image}" width="${w}" height="${h}" alt="\${STORE_NAME}, \${DISTANCE}"></a>`,
      landing: `https://www.${advertiserDomain(advertiser)}/offers/${index}?store=\${STORE_ID}&from=\${CAMPAIGN_ID}`,
      iurl: image,
      attributes: draw.chance(0.2) ? [1 + draw.below(16)] : [],
      language: null,
      blockedExchanges: [],
    };
  });
}
