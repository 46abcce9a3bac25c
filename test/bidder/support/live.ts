import { coverOf, type Fence } from '../../../proto/fence.ts';
import {
  ANY,
  type LiveAudio,
  type LiveBanner,
  type LiveCreative,
  type LiveExchange,
  type LiveGeofence,
  type LiveLineItem,
  type LiveNative,
  type LiveStore,
  type LiveVideo,
  type Snapshot,
  type Targeting,
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
  return {
    id,
    defaultTmax: 100,
    networkAllowance: 10,
    format: 'json',
    gzip: 'auto',
    billing: 'burl',
    currency: null,
    sampling: 1,
    syncUrl: null,
    seat: null,
    simulated: false,
    tokenHash: null,
    sendsNoBidReason: false,
    bidsPerImp: 1,
    requiredFields: [],
    price: { kind: 'plain' },
    trustsUnknownLocation: false,
    defaultAuction: 2,
    supply: { completeOnly: false, maxHops: null, sellers: null },
    adLabel: false,
    qps: null,
    maxAnswerBytes: null,
    signature: null,
    ...given,
  };
}

function plainAd(id: string) {
  return {
    id,
    landing: 'https://shop.example/?s=${STORE_ID}',
    iurl: null,
    attributes: [],
    language: null,
    blockedExchanges: [],
  };
}

export type GivenCreative =
  | Partial<LiveBanner>
  | (Partial<LiveVideo> & { readonly type: 'video' })
  | (Partial<LiveAudio> & { readonly type: 'audio' })
  | (Partial<LiveNative> & { readonly type: 'native' });

/** A banner, or what `type` says. */
export function creative(id: string, given: GivenCreative = {}): LiveCreative {
  const base = plainAd(id);
  switch (given.type) {
    case 'video':
      return { ...base, duration: 15, skipAfter: null, title: 'Spot', media: [VIDEO_FILE], ...given };
    case 'audio':
      return { ...base, duration: 30, title: 'Spot', media: [AUDIO_FILE], ...given };
    case 'native':
      return { ...base, title: 'Fresh bread', data: { 1: 'Shop', 2: 'At ${STORE_NAME}', 12: 'Visit' }, images: IMAGES, ...given };
    default:
      return { ...base, type: 'banner', w: 300, h: 250, html: '<a href="${CLICK_URL}">${STORE_NAME}</a>', ...given };
  }
}

const VIDEO_FILE = { url: 'https://cdn.shop.example/a.mp4', mime: 'video/mp4', bitrate: 1_200, w: 1280, h: 720 };
const AUDIO_FILE = { url: 'https://cdn.shop.example/a.mp3', mime: 'audio/mpeg', bitrate: 128, w: 0, h: 0 };
const IMAGES = [
  { type: 3, url: 'https://cdn.shop.example/main.jpg', w: 1200, h: 627 },
  { type: 1, url: 'https://cdn.shop.example/icon.png', w: 80, h: 80 },
];

export type GivenLineItem = Partial<Omit<LiveLineItem, 'targeting'>> & { readonly targeting?: Partial<Targeting> };

export function lineItem(id: string, given: GivenLineItem = {}): LiveLineItem {
  return {
    id,
    campaign: `cmp_${id}`,
    advertiser: 'adv_1',
    domains: ['shop.example'],
    bundle: '',
    adLabel: null,
    childSafe: false,
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
    targeting: { ...ANY, ...given.targeting },
  };
}

export function snapshot(given: Partial<Snapshot> = {}): Snapshot {
  return {
    version: 1,
    at: NOON,
    exchanges: [exchange('x')],
    stores: [],
    geofences: [],
    lineItems: [],
    lists: [],
    rates: null,
    ...given,
  };
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
