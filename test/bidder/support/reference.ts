import type { Person } from '../../../bidder/core/person.ts';
import { contains, distance, fenceRadius } from '../../../proto/fence.ts';
import { isWithin, minuteOfWeek, zoneOffset } from '../../../proto/hours.ts';
import { decodeProfile } from '../../../proto/profile.ts';
import { isPreciseFor, type Signal, signalOf } from '../../../proto/signal.ts';
import type { LiveExchange, LiveLineItem, LiveStore, Snapshot } from '../../../proto/snapshot.ts';

/** A request of the tests: what `wireRequest` and the generators fill, so that nothing of the bidder reads it for us. */
export interface AskedRequest {
  readonly imp: readonly AskedImp[];
  readonly device: {
    readonly os: string;
    readonly devicetype: number;
    readonly geo: {
      readonly lat?: number;
      readonly lon?: number;
      readonly type: number;
      readonly accuracy: number;
      readonly utcoffset?: number;
    };
  };
  readonly cur?: readonly string[];
  readonly bcat: readonly string[];
  readonly badv: readonly string[];
  readonly wseat: readonly string[];
}

export interface AskedImp {
  readonly id: string;
  readonly banner: { readonly w: number; readonly h: number; readonly battr: readonly number[] };
  readonly bidfloor: number;
  readonly bidfloorcur: string;
}

export interface Asked {
  readonly request: AskedRequest;
  readonly person: Person;
  readonly exchange: LiveExchange;
  readonly preciseLocation: boolean;
  readonly now: number;
  /** Micros free for each limited line item. */
  readonly free: (lineItem: string) => number;
}

/** What earlier imps of the response have taken. */
export interface Taken {
  readonly used: ReadonlyMap<string, number>;
  readonly currency: string | null;
}

/**
 * The slow, obvious matcher: asks every line item of the snapshot every question. Gives those that may be bid for an imp with their
 * prices, micros of CPM, and the store that each shows.
 */
export function mayBid(snapshot: Snapshot, asked: Asked, imp: AskedImp, taken: Taken) {
  const found = new Map<string, { price: number; store: string | null }>();
  if (asked.request.wseat.length > 0 && !asked.request.wseat.includes(asked.exchange.seat ?? '')) return found;
  for (const lineItem of snapshot.lineItems) {
    const place = placeOf(snapshot, lineItem, asked);
    if (place === null || !wants(lineItem, asked) || !fits(lineItem, asked, imp, taken)) continue;
    const { stores, signal } = place;
    const shown = shownStore(stores, asked);
    if (lineItem.targeting.openStoresOnly && (shown === null || !isOpen(shown, asked.now))) continue;
    const metres = signal === null || signal.class === 'low' || shown === null ? null : metresTo(shown, asked);
    const price = priceOf(lineItem, metres);
    const cost = Math.round(price / 1_000);
    const times = (taken.used.get(lineItem.id) ?? 0) + 1;
    if (price <= 0 || price < Math.round(imp.bidfloor * 1e6)) continue;
    if (isLimited(lineItem) && asked.free(lineItem.id) < cost * times) continue;
    found.set(lineItem.id, { price, store: shown?.id ?? null });
  }
  return found;
}

/** Who, when and on what. */
function wants({ targeting, start, end, caps, holdout }: LiveLineItem, { request, person, exchange, now }: Asked): boolean {
  const { device } = request;
  if (targeting.exchanges !== null && !targeting.exchanges.includes(exchange.id)) return false;
  if (now < start || now >= end) return false;
  if (targeting.deviceTypes !== null && !targeting.deviceTypes.includes(device.devicetype)) return false;
  if (targeting.os !== null && !targeting.os.includes(device.os.toLowerCase())) return false;
  const offset = device.geo.utcoffset ?? zoneOffset(targeting.timeZone, now);
  if (!isWithin(targeting.dayparts, minuteOfWeek(now, offset))) return false;
  const personal =
    caps.length > 0 || targeting.segments !== null || targeting.excludedSegments.length > 0 || (holdout?.share ?? 0) > 0;
  if (!personal) return true;
  if (person.state !== 'known' && person.state !== 'unknown') return false;
  const held = person.memberships.flatMap((value) => decodeProfile(value)?.memberships ?? []);
  const isIn = (number: number): boolean => held.some(({ segment, until }) => segment === number && now < until * 3_600_000);
  return (targeting.segments ?? []).every((group) => group.some(isIn)) && !targeting.excludedSegments.some(isIn);
}

/** Null: the device is in none of its places. Else the stores that it may show. */
function placeOf(
  snapshot: Snapshot,
  { targeting }: LiveLineItem,
  asked: Asked,
): { stores: LiveStore[]; signal: Signal | null } | null {
  const { lat, lon, type, accuracy } = asked.request.device.geo;
  const known = asked.preciseLocation && lat !== undefined && lon !== undefined;
  const signal = known ? signalOf({ lat, lon, type, accuracy, lastfix: null }) : null;
  const promoted = targeting.promotedStores.flatMap((id) => snapshot.stores.filter((store) => store.id === id));
  if (targeting.stores === null && targeting.geofences === null) return { stores: promoted, signal };
  if (!known || signal === null) return null;
  const isHere = ({ fence }: Pick<LiveStore, 'fence'>): boolean =>
    contains(fence, lat, lon) && isPreciseFor(signal, fenceRadius(fence));
  const stores = snapshot.stores.filter((store) => targeting.stores?.includes(store.id) && isHere(store));
  const geofences = snapshot.geofences.filter((geofence) => targeting.geofences?.includes(geofence.id) && isHere(geofence));
  if (stores.length === 0 && geofences.length === 0) return null;
  return { stores: stores.length > 0 ? stores : promoted, signal };
}

/** The nearest open one, else the nearest; where the place is unknown the first open one, else the first. */
function shownStore(stores: readonly LiveStore[], asked: Asked): LiveStore | null {
  const open = stores.filter((store) => isOpen(store, asked.now));
  const choice = open.length > 0 ? open : stores;
  return choice.reduce<LiveStore | null>((best, store) => {
    if (best === null) return store;
    const [metres, than] = [metresTo(store, asked), metresTo(best, asked)];
    return metres !== null && than !== null && metres < than ? store : best;
  }, null);
}

function metresTo(store: LiveStore, { request, preciseLocation }: Asked): number | null {
  const { lat, lon } = request.device.geo;
  return !preciseLocation || lat === undefined || lon === undefined ? null : distance(lat, lon, store.lat, store.lon);
}

function isOpen(store: LiveStore, now: number): boolean {
  return isWithin(store.hours, minuteOfWeek(now, zoneOffset(store.timeZone, now)));
}

function priceOf({ bid }: LiveLineItem, metres: number | null): number {
  if (bid.distance === null) return bid.maxCpm;
  const { floorShare, halvesEvery } = bid.distance;
  return Math.round(bid.maxCpm * (metres === null ? floorShare : Math.max(floorShare, 2 ** (-metres / halvesEvery))));
}

/** The imp, the publisher's blocks, caps and currencies. */
function fits(
  lineItem: LiveLineItem,
  { request, person, now }: Asked,
  { banner, bidfloor, bidfloorcur }: AskedImp,
  taken: Taken,
): boolean {
  const { currency, creatives, domains, categories, caps, id } = lineItem;
  if (!(request.cur ?? ['USD']).includes(currency) || (bidfloor > 0 && bidfloorcur !== currency)) return false;
  if (taken.currency !== null && taken.currency !== currency) return false;
  const fitting = creatives.some(
    (creative) =>
      creative.type === 'banner' &&
      creative.w === banner.w &&
      creative.h === banner.h &&
      !creative.attributes.some((attribute) => banner.battr.includes(attribute)),
  );
  if (!fitting) return false;
  if (domains.some((domain) => request.badv.some((blocked) => domain === blocked || domain.endsWith(`.${blocked}`))))
    return false;
  if (categories.some((category) => request.bcat.some((blocked) => category === blocked || category.startsWith(`${blocked}-`))))
    return false;
  const used = taken.used.get(id) ?? 0;
  return caps.every(
    ({ count, windowMs }) => (person.caps.get(`${id}:${windowMs}:${Math.floor(now / windowMs)}`) ?? 0) + used < count,
  );
}

function isLimited({ budget }: LiveLineItem): boolean {
  return budget.campaign !== null || budget.total !== null || budget.daily !== null;
}
