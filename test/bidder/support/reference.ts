import type { Person } from '../../../bidder/core/person.ts';
import { contains, distance, fenceRadius } from '../../../proto/fence.ts';
import { isWithin, minuteOfWeek, zoneOffset } from '../../../proto/hours.ts';
import { isPreciseFor, type Signal, signalOf } from '../../../proto/signal.ts';
import type { GeoName, LiveExchange, LiveLineItem, LiveList, LiveStore, Snapshot, Targeting } from '../../../proto/snapshot.ts';

/** A request of the tests: what `wireRequest` and the generators fill, so that nothing of the bidder reads it for us. */
export interface AskedRequest {
  readonly imp: readonly AskedImp[];
  readonly site?: AskedPlace & { readonly domain: string };
  readonly app?: AskedPlace & { readonly bundle: string };
  readonly device: {
    readonly os: string;
    readonly osv: string;
    readonly make: string;
    readonly model: string;
    readonly ua: string;
    readonly carrier: string;
    readonly connectiontype: number;
    readonly language: string;
    readonly devicetype: number;
    readonly geo: {
      readonly lat?: number;
      readonly lon?: number;
      readonly type: number;
      readonly accuracy: number;
      readonly utcoffset?: number;
      readonly country: string;
      readonly region: string;
      readonly city: string;
      readonly zip: string;
    };
  };
  readonly user: {
    readonly data: readonly AskedData[];
    readonly eids: readonly { readonly source: string }[];
  };
  readonly source: { readonly schain: { readonly complete: 0 | 1; readonly nodes: readonly object[] } };
  readonly cur?: readonly string[];
  readonly bcat: readonly string[];
  readonly badv: readonly string[];
  readonly wseat: readonly string[];
}

interface AskedPlace {
  readonly id: string;
  readonly cat: readonly string[];
  readonly content: { readonly language: string };
  readonly publisher: { readonly id: string };
}

interface AskedData {
  readonly name: string;
  readonly ext: { readonly segtax: number };
  readonly segment: readonly { readonly id: string }[];
}

export interface AskedImp {
  readonly id: string;
  readonly banner: { readonly w: number; readonly h: number; readonly battr: readonly number[]; readonly pos: number };
  readonly instl: 0 | 1;
  readonly rwdd: 0 | 1;
  readonly metric: readonly { readonly type: string; readonly value: number }[];
  readonly pmp: { readonly deals: readonly { readonly id: string; readonly bidfloor: number; readonly bidfloorcur: string }[] };
  readonly bidfloor: number;
  readonly bidfloorcur: string;
}

/** Of a person: hours since a segment was entered, null where that is not known. */
export type Memberships = ReadonlyMap<number, number | null>;

export interface Asked {
  readonly request: AskedRequest;
  readonly person: Person;
  /** Those that count. */
  readonly memberships: Memberships;
  readonly childOnly: boolean;
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
 * The slow, obvious matcher: asks every line item of the snapshot every question. Gives those that may be bid for an imp, under a deal
 * or on the open market, with their prices, micros of CPM, and the store that each shows.
 */
export function mayBid(snapshot: Snapshot, asked: Asked, imp: AskedImp, deal: string | null, taken: Taken) {
  const found = new Map<string, { price: number; store: string | null }>();
  if (asked.request.wseat.length > 0 && !asked.request.wseat.includes(asked.exchange.seat ?? '')) return found;
  const offered = imp.pmp.deals.find(({ id }) => id === deal);
  const { bidfloor, bidfloorcur } = offered !== undefined && offered.bidfloor > 0 ? offered : imp;
  const made = new Set(snapshot.lineItems.flatMap(({ targeting }) => targeting.deals ?? []));
  for (const lineItem of snapshot.lineItems) {
    const { deals } = lineItem.targeting;
    if (deal === null ? deals !== null : deals === null ? made.has(deal) : !deals.includes(deal)) continue;
    const place = placeOf(snapshot, lineItem, asked);
    if (place === null || !wants(lineItem, asked, snapshot.lists)) continue;
    if (!fits(lineItem, asked, { ...imp, bidfloor, bidfloorcur }, taken)) continue;
    const { stores, signal } = place;
    const shown = shownStore(stores, asked);
    if (lineItem.targeting.openStoresOnly && (shown === null || !isOpen(shown, asked.now))) continue;
    const metres = signal === null || signal.class === 'low' || shown === null ? null : metresTo(shown, asked);
    const price = priceOf(lineItem, metres);
    const cost = Math.round(price / 1_000);
    const times = (taken.used.get(lineItem.id) ?? 0) + 1;
    if (price <= 0 || price < Math.round(bidfloor * 1e6)) continue;
    if (isLimited(lineItem) && asked.free(lineItem.id) < cost * times) continue;
    found.set(lineItem.id, { price, store: shown?.id ?? null });
  }
  return found;
}

/** Who, when, where and on what. */
function wants(lineItem: LiveLineItem, asked: Asked, lists: readonly LiveList[]): boolean {
  const { targeting, start, end, childSafe } = lineItem;
  const { request, exchange, now, childOnly } = asked;
  if (!allows(targeting.exchanges, exchange.id) || now < start || now >= end || (childOnly && !childSafe)) return false;
  const offset = request.device.geo.utcoffset ?? zoneOffset(targeting.timeZone, now);
  if (!isWithin(targeting.dayparts, minuteOfWeek(now, offset))) return false;
  const { complete, nodes } = request.source.schain;
  if (targeting.supply?.completeOnly && !(complete === 1 && nodes.length > 0)) return false;
  return wantsDevice(targeting, asked) && wantsInventory(targeting, asked, lists) && wantsPerson(lineItem, asked);
}

/** An empty list allows nothing. */
function allows<Value>(wanted: readonly Value[] | null, value: Value): boolean {
  return wanted === null || wanted.includes(value);
}

function wantsDevice(targeting: Targeting, { request }: Asked): boolean {
  const { os, osv, make, model, ua, carrier, connectiontype, language, devicetype, geo } = request.device;
  const network = /^\d{5}$/.test(carrier) ? `${carrier.slice(0, 3)}-${carrier.slice(3)}` : '';
  const browser = ua.includes('Firefox/') ? 'firefox' : ua.includes('Chrome/') ? 'chrome' : '';
  const isNamed = ({ country, region, city, zip }: GeoName): boolean =>
    country === geo.country &&
    (region === null || region === geo.region) &&
    (city === null || city === geo.city.toLowerCase()) &&
    (zip === null || zip === geo.zip.replaceAll(/[- ]/g, '').toUpperCase());
  return (
    allows(targeting.deviceTypes, devicetype) &&
    allows(targeting.os, os.toLowerCase()) &&
    allows(targeting.makes, make.toLowerCase()) &&
    allows(targeting.models, model.toLowerCase()) &&
    allows(targeting.browsers, browser) &&
    (allows(targeting.carriers, carrier.toLowerCase()) || allows(targeting.carriers, network)) &&
    allows(targeting.connectionTypes, connectiontype) &&
    allows(targeting.languages, language) &&
    (targeting.osVersions === null || isBetween(osv, targeting.osVersions)) &&
    (targeting.geo?.include?.some(isNamed) ?? true) &&
    !(targeting.geo?.exclude.some(isNamed) ?? false)
  );
}

/** Versions of at most three numbers below 1,000. */
function isBetween(version: string, { from, below }: NonNullable<Targeting['osVersions']>): boolean {
  const rank = (text: string): number => {
    const [major = 0, minor = 0, patch = 0] = text.split('.').map(Number);
    return major * 1e6 + minor * 1e3 + patch;
  };
  if (version === '') return false;
  return (from === null || rank(version) >= rank(from)) && (below === null || rank(version) < rank(below));
}

function wantsInventory({ inventory, lists, content }: Targeting, { request }: Asked, live: readonly LiveList[]): boolean {
  const { site, app } = request;
  const place = site ?? app;
  const kind = site !== undefined ? 'site' : app !== undefined ? 'app' : null;
  if (inventory !== null && (kind === null || !inventory.includes(kind))) return false;
  const values = {
    domain: site?.domain,
    bundle: app?.bundle.toLowerCase(),
    site: site?.id,
    app: app?.id,
    publisher: place?.publisher.id,
  };
  const holds = (id: string): boolean => {
    const list = live.find((candidate) => candidate.id === id) as LiveList;
    const value = values[list.kind];
    const entries = list.entries.split('\n').filter((entry) => entry !== '');
    if (value === undefined || value === '') return false;
    return entries.some((entry) => value === entry || (list.kind === 'domain' && value.endsWith(`.${entry}`)));
  };
  if (lists !== null && ((lists.include !== null && !lists.include.some(holds)) || lists.exclude.some(holds))) return false;
  if (content === null) return true;
  const isAbout = (category: string): boolean =>
    place?.cat.some((own) => own === category || own.startsWith(`${category}-`)) ?? false;
  if (content.include !== null && !content.include.some(isAbout)) return false;
  if (content.exclude.some(isAbout)) return false;
  return content.languages === null || (place !== undefined && content.languages.includes(place.content.language));
}

function wantsPerson({ targeting, caps, holdout }: LiveLineItem, { request, person, memberships }: Asked): boolean {
  const { segments, excludedSegments, segmentRule, userData, eids } = targeting;
  const { state } = person;
  if ((userData !== null || eids !== null) && (state === 'withheld' || state === 'counted')) return false;
  const told = request.user.data.flatMap(({ name, ext, segment }) =>
    segment.flatMap(({ id }) => [`${ext.segtax}:${id}`, `${name.toLowerCase()}:${id}`]),
  );
  if (!(userData ?? []).every((group) => group.some((wanted) => told.includes(wanted)))) return false;
  if (eids !== null && !request.user.eids.some(({ source }) => eids.includes(source))) return false;
  const personal =
    caps.length > 0 || segments !== null || excludedSegments.length > 0 || segmentRule !== null || (holdout?.share ?? 0) > 0;
  if (!personal) return true;
  if (state !== 'known' && state !== 'unknown') return false;
  const isIn = (segment: number): boolean => memberships.has(segment);
  const isInSince = (segment: number, hours: number | null): boolean => {
    const age = memberships.get(segment);
    return age !== undefined && (hours === null || (age !== null && age <= hours));
  };
  return (
    (segments ?? []).every((group) => group.some(isIn)) &&
    !excludedSegments.some(isIn) &&
    (segmentRule ?? []).every((clause) => clause.some((one) => isInSince(one.segment, one.withinHours) !== one.not))
  );
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
  { banner, instl, rwdd, metric, bidfloor, bidfloorcur }: AskedImp,
  taken: Taken,
): boolean {
  const { positions, viewability, interstitial, rewarded } = lineItem.targeting;
  if (!allows(positions, banner.pos)) return false;
  if (viewability !== null && !(metric[0] !== undefined && metric[0].value >= viewability)) return false;
  if (interstitial !== null && interstitial !== (instl === 1)) return false;
  if (rewarded !== null && rewarded !== (rwdd === 1)) return false;
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
