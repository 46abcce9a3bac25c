import type { Cover, Fence } from '../../proto/fence.ts';
import { weekSpans } from '../../proto/hours.ts';
import type { DataPrice } from '../../proto/money.ts';
import type { LiveGeofence, LiveLineItem, LiveStore, Snapshot } from '../../proto/snapshot.ts';
import type { Campaign } from '../campaigns/campaign.ts';
import type { LineItem } from '../campaigns/line-item.ts';
import { auditCreative } from '../creatives/audit.ts';
import { blockedExchanges } from '../creatives/blocked.ts';
import type { Geofence } from '../geofences/geofence.ts';
import { RATES_ID } from '../rates/rates.ts';
import type { DataPriceOf } from '../sources/data-prices.ts';
import { type Store, storeFence } from '../stores/store.ts';
import type { Thing, Things } from '../things/things.ts';
import { liveCreative } from './creatives.ts';
import { liveExchange } from './exchanges.ts';
import { liveLists } from './lists.ts';
import { liveSupply } from './supply.ts';
import { liveTargeting } from './targeting.ts';

const HOUR_MS = 3_600_000;

type CoverOf = (fence: Fence) => Cover;

const NONE: ReadonlySet<string> = new Set();

/** What a snapshot stands on besides things. */
interface SnapshotGrounds {
  /** Ids of line items that the guard rails of segments hold back. */
  readonly held?: ReadonlySet<string>;
  readonly dataPriceOf?: DataPriceOf;
}

/**
 * Everything that is live: the active line items of active campaigns whose flight has not ended, and what they name. What a
 * line item names and is gone or empty narrows it to nothing, never to everything.
 */
export function buildSnapshot(
  things: Things,
  cover: CoverOf,
  version: number,
  now: number,
  { held = NONE, dataPriceOf = () => null }: SnapshotGrounds = {},
): Snapshot {
  // A simulated exchange brings its own clock, to which a flight that is over here may be running.
  const over = things.list('exchange').some(({ body }) => body.simulated) ? Number.NEGATIVE_INFINITY : now;
  const blocked = blockedExchanges(things, now);
  const lineItems = things
    .list('line-item')
    .flatMap((thing) => (held.has(thing.id) ? [] : (liveLineItem(things, thing, over, blocked, dataPriceOf) ?? [])));
  const exchanges = things.list('exchange').map(liveExchange);
  const storeIds = new Set(lineItems.flatMap(({ targeting }) => [...(targeting.stores ?? []), ...targeting.promotedStores]));
  const geofenceIds = new Set(lineItems.flatMap(({ targeting }) => targeting.geofences ?? []));
  return {
    version,
    at: now,
    exchanges,
    stores: things.list('store').flatMap((thing) => (storeIds.has(thing.id) ? [liveStore(thing, cover)] : [])),
    geofences: things.list('geofence').flatMap((thing) => (geofenceIds.has(thing.id) ? [liveGeofence(thing, cover)] : [])),
    lineItems,
    lists: liveLists(things, lineItems),
    rates: liveRates(things),
    ...liveSupply(things, exchanges, lineItems),
  };
}

function liveStore(thing: Thing<Store>, coverOf: CoverOf): LiveStore {
  const { name, address, lat, lon, timeZone, hours } = thing.body;
  const fence = storeFence(thing.body);
  const cover = coverOf(fence);
  return { id: thing.id, name, address, lat, lon, timeZone, hours: hours === null ? null : weekSpans(hours), fence, cover };
}

function liveGeofence(thing: Thing<Geofence>, coverOf: CoverOf): LiveGeofence {
  const { fence } = thing.body;
  return { id: thing.id, fence, cover: coverOf(fence) };
}

function liveLineItem(
  things: Things,
  { id, body }: Thing<LineItem>,
  over: number,
  blocked: ReturnType<typeof blockedExchanges>,
  dataPriceOf: DataPriceOf,
): LiveLineItem | null {
  const campaign = things.get('campaign', body.campaign)?.body;
  const advertiser = campaign === undefined ? undefined : things.get('advertiser', campaign.advertiser)?.body;
  if (campaign === undefined || advertiser === undefined) return null;
  const { start, end } = flightOf(body, campaign);
  if (body.status !== 'active' || campaign.status !== 'active' || end <= over || end <= start) return null;
  const creatives = body.creatives
    .flatMap((creative) => things.get('creative', creative) ?? [])
    .filter((creative) => auditCreative(creative.body, advertiser.domains).faults.length === 0);
  return {
    id,
    campaign: body.campaign,
    advertiser: campaign.advertiser,
    domains: advertiser.domains,
    bundle: body.bundle ?? '',
    adLabel: body.adLabel ?? null,
    childSafe: body.childSafe ?? false,
    categories: [...new Set(creatives.flatMap((creative) => creative.body.categories ?? []))],
    currency: advertiser.currency,
    start,
    end,
    budget: { campaign: campaign.budgetMicros, total: body.budget.totalMicros ?? null, daily: body.budget.dailyMicros ?? null },
    bid: bidOf(body),
    ...dataOf(dataPriceOf(body)),
    caps: body.caps.map(({ count, hours }) => ({ count, windowMs: Math.round(hours * HOUR_MS) })),
    targeting: liveTargeting(things, body.targeting),
    holdout: holdoutOf(campaign),
    creatives: creatives.map((creative) => liveCreative(creative, blocked.get(creative.id) ?? [])),
  };
}

/** The part of the line item's flight within its campaign's. */
function flightOf(lineItem: LineItem, campaign: Campaign): { start: number; end: number } {
  return {
    start: Math.max(Date.parse(campaign.start), Date.parse(lineItem.start ?? campaign.start)),
    end: Math.min(Date.parse(campaign.end), Date.parse(lineItem.end ?? campaign.end)),
  };
}

/** Of most there is nothing to say. */
function dataOf(data: DataPrice | null): Pick<LiveLineItem, 'data'> {
  return data === null ? {} : { data };
}

function bidOf({ bid }: LineItem): LiveLineItem['bid'] {
  const { maxCpmMicros: maxCpm, distance } = bid;
  if (distance === undefined) return { maxCpm, distance: null };
  return { maxCpm, distance: { halvesEvery: distance.halvesEveryMetres, floorShare: distance.floorShare } };
}

/** Percent → hundredths of a percent, the buckets of which there are 10,000. */
function holdoutOf({ holdout }: Campaign): LiveLineItem['holdout'] {
  if (holdout === null || holdout.percent === 0) return null;
  return { share: Math.round(holdout.percent * 100), salt: holdout.salt ?? '' };
}

function liveRates(things: Things): Snapshot['rates'] {
  const rates = things.get('rates', RATES_ID)?.body;
  return rates === undefined ? null : { at: Date.parse(rates.at), perUsd: rates.perUsd };
}
