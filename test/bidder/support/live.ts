import { coverOf, type Fence } from '../../../proto/fence.ts';
import type {
  LiveCreative,
  LiveExchange,
  LiveGeofence,
  LiveLineItem,
  LiveStore,
  Snapshot,
  Targeting,
} from '../../../proto/snapshot.ts';

/** Small live things for tests: name what matters, the rest is plain. */

/** Alexanderplatz, and Tuesday noon UTC. */
export const LAT = 52.52191;
export const LON = 13.41323;
export const NOON = Date.UTC(2026, 7, 4, 12);

export function store(id: string, given: Partial<LiveStore> = {}): LiveStore {
  const { lat = LAT, lon = LON } = given;
  const fence: Fence = given.fence ?? { type: 'circle', lat, lon, radius: 75 };
  return {
    id,
    name: `Store ${id}`,
    address: '1 Main Street',
    lat,
    lon,
    timeZone: 'UTC',
    hours: null,
    fence,
    cover: coverOf(fence),
    ...given,
  };
}

export function geofence(id: string, fence: Fence): LiveGeofence {
  return { id, fence, cover: coverOf(fence) };
}

export function exchange(id: string, given: Partial<LiveExchange> = {}): LiveExchange {
  return { id, defaultTmax: 100, networkAllowance: 10, billing: 'burl', seat: null, simulated: false, ...given };
}

export function creative(id: string, given: Partial<LiveCreative> = {}): LiveCreative {
  return {
    id,
    w: 300,
    h: 250,
    html: '<a href="${CLICK_URL}">${STORE_NAME}</a>',
    landing: 'https://shop.example/?s=${STORE_ID}',
    iurl: null,
    attributes: [],
    ...given,
  };
}

export type GivenLineItem = Partial<Omit<LiveLineItem, 'targeting'>> & { readonly targeting?: Partial<Targeting> };

export function lineItem(id: string, given: GivenLineItem = {}): LiveLineItem {
  return {
    id,
    campaign: `cmp_${id}`,
    advertiser: 'adv_1',
    domains: ['shop.example'],
    categories: ['IAB22-1'],
    currency: 'USD',
    start: 0,
    end: Date.UTC(2100, 0, 1),
    budget: { campaign: null, total: null, daily: null },
    bid: { maxCpm: 2_000_000, distance: null },
    caps: [],
    holdout: null,
    creatives: [creative(`cr_${id}`)],
    ...given,
    targeting: { ...ANYBODY, ...given.targeting },
  };
}

const ANYBODY: Targeting = {
  exchanges: null,
  segments: null,
  excludedSegments: [],
  stores: null,
  geofences: null,
  promotedStores: [],
  openStoresOnly: false,
  deviceTypes: null,
  os: null,
  dayparts: null,
  timeZone: 'UTC',
};

export function snapshot(given: Partial<Snapshot> = {}): Snapshot {
  return { version: 1, at: NOON, exchanges: [exchange('x')], stores: [], geofences: [], lineItems: [], ...given };
}

/** A bid request as JSON, one banner of 300 × 250. */
export function wireRequest(given: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: 'auction-1',
    imp: [{ id: '1', banner: { w: 300, h: 250 } }],
    app: { id: 'app', bundle: 'com.example' },
    device: {
      ifa: '6f2b1c0e-7d2a-4d57-9b1a-0b6a5c4d3e2f',
      os: 'Android',
      devicetype: 4,
      geo: { lat: LAT, lon: LON, type: 1, accuracy: 10 },
    },
    at: 1,
    // Long, so that a busy machine does not turn a bid into `deadline`.
    tmax: 1_000,
    ...given,
  };
}
