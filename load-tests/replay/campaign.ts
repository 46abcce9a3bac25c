import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from './api.ts';
import { say } from './say.ts';
import { SEGMENT_NAMES } from './segments.ts';

/** Exchange that the requests are sent as. */
export const EXCHANGE = 'replay';
const ADVERTISER = 'replay';
const CAMPAIGN = 'replay';
const STORE = 'replay';
const DOMAIN = 'grocer.example';
/** Above the floors that are seen in practice. */
const MAX_CPM_MICROS = 50_000_000;
const DAY = 86_400_000;
const MOST_SIZES = 60;
const WAIT_MS = 60_000;

export const exchangeUser = (userId: string): string => `${EXCHANGE}:${userId}`;

/** A campaign with one line item for each segment and a creative in each size that is asked for. */
export async function createCampaign(api: Api, sizes: readonly { w: number; h: number }[]): Promise<void> {
  await api.put(`/v1/exchanges/${EXCHANGE}`, {
    name: 'Replay',
    defaultTmax: 1000,
    networkAllowance: 0,
    billing: 'burl',
    seat: null,
    simulated: false,
  });
  await api.put(`/v1/advertisers/${ADVERTISER}`, { name: 'Grocer', domains: [DOMAIN], currency: 'USD' });
  await api.put(`/v1/stores/${STORE}`, {
    advertiser: ADVERTISER,
    name: 'Grocer, Vine Street',
    address: '1000 Vine Street, Cincinnati',
    lat: 39.1066,
    lon: -84.5128,
    timeZone: 'America/New_York',
    hours: null,
    fence: { type: 'circle', radius: 75 },
  });
  const creatives: string[] = [];
  for (const { w, h } of sizes.slice(0, MOST_SIZES)) creatives.push(await createCreative(api, w, h));
  if (creatives.length === 0) creatives.push(await createCreative(api, 300, 250));
  const now = Date.now();
  await api.put(`/v1/campaigns/${CAMPAIGN}`, {
    advertiser: ADVERTISER,
    name: 'Replay',
    status: 'active',
    start: new Date(now - DAY).toISOString(),
    end: new Date(now + DAY).toISOString(),
    budgetMicros: null,
    holdout: null,
  });
  for (const [index, segment] of SEGMENT_NAMES.entries()) {
    await api.put(`/v1/line-items/replay-${segment}`, {
      campaign: CAMPAIGN,
      name: `People of ${segment}`,
      status: 'active',
      budget: { totalMicros: null, dailyMicros: null },
      bid: { maxCpmMicros: MAX_CPM_MICROS - index * 1_000_000 },
      caps: [],
      targeting: { exchanges: [EXCHANGE], segments: [[segment]], promotedStores: [STORE] },
      creatives,
    });
  }
}

async function createCreative(api: Api, w: number, h: number): Promise<string> {
  const id = `replay-${w}x${h}`;
  await api.put(`/v1/creatives/${id}`, {
    advertiser: ADVERTISER,
    name: `${w} × ${h}`,
    w,
    h,
    html: '<a href="${CLICK_URL}">${STORE_NAME}</a>',
    landing: `https://${DOMAIN}/`,
  });
  return id;
}

interface SnapshotView {
  readonly version: number;
  readonly lineItems: unknown;
  readonly workers: readonly { readonly id: string; readonly version: number }[];
}

/** Waits until every bidder worker serves a snapshot that was made after the campaign. */
export async function waitServed(api: Api, before: number): Promise<void> {
  const end = Date.now() + WAIT_MS;
  let last: SnapshotView | null = null;
  while (Date.now() < end) {
    last = await api.get<SnapshotView>('/v1/snapshot');
    const { version, workers } = last;
    if (version > before && workers.length > 0 && workers.every((worker) => worker.version >= version)) return;
    await sleep(100);
  }
  say(`The bidders do not serve the newest snapshot after ${WAIT_MS / 1000} s: ${JSON.stringify(last)}`);
}

export async function snapshotVersion(api: Api): Promise<number> {
  return (await api.get<SnapshotView | null>('/v1/snapshot'))?.version ?? 0;
}
