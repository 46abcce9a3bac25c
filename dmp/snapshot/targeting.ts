import { countryOf } from '../../proto/country.ts';
import { weekSpans } from '../../proto/hours.ts';
import { ANY, type GeoName, type SegmentLiteral, type Targeting } from '../../proto/snapshot.ts';
import { zipKey } from '../../proto/zip.ts';
import { regionOf } from '../campaigns/check-targeting.ts';
import { conjunctionOf, type Literal } from '../campaigns/conjunction.ts';
import type { SegmentRule } from '../campaigns/segment-rule.ts';
import type { GeoNameInput, TargetingInput } from '../campaigns/targeting.ts';
import type { Kind, Things } from '../things/things.ts';

/** A line item's targeting as the bidders need it. What it names and is gone narrows it to nothing, never to everything. */
export function liveTargeting(things: Things, targeting: TargetingInput): Targeting {
  const { segments, excludedSegments = [], geofences, promotedStores = [], osVersions, lists, content, dayparts } = targeting;
  return {
    ...ANY,
    exchanges: targeting.exchanges ?? null,
    deals: targeting.deals ?? null,
    supply: supplyOf(targeting.supply),
    inventory: targeting.inventory ?? null,
    lists: lists === undefined ? null : { include: lists.include ?? null, exclude: lists.exclude ?? [] },
    content:
      content === undefined
        ? null
        : {
            include: upper(content.include),
            exclude: upper(content.exclude) ?? [],
            languages: lower(content.languages),
          },
    positions: targeting.positions ?? null,
    viewability: targeting.viewability ?? null,
    interstitial: targeting.interstitial ?? null,
    rewarded: targeting.rewarded ?? null,
    deviceTypes: targeting.deviceTypes ?? null,
    os: lower(targeting.os),
    osVersions: osVersions === undefined ? null : { from: osVersions.from ?? null, below: osVersions.below ?? null },
    makes: lower(targeting.makes),
    models: lower(targeting.models),
    browsers: lower(targeting.browsers),
    carriers: lower(targeting.carriers),
    connectionTypes: targeting.connectionTypes ?? null,
    languages: lower(targeting.languages),
    geo: geoOf(targeting.geo),
    stores: fencesOf(things, targeting),
    geofences: geofences === undefined ? null : existing(things, 'geofence', geofences),
    promotedStores: existing(things, 'store', promotedStores),
    openStoresOnly: targeting.openStoresOnly ?? false,
    segments: segments?.map((ids) => numbersOf(things, ids)) ?? null,
    excludedSegments: numbersOf(things, excludedSegments),
    segmentRule: clausesOf(things, targeting.segmentRule),
    userData: targeting.userData?.map((group) => group.map(userDataOf)) ?? null,
    eids: lower(targeting.eids),
    dayparts: dayparts === undefined ? null : weekSpans(dayparts),
    timeZone: targeting.timeZone ?? 'UTC',
  };
}

function supplyOf(supply: TargetingInput['supply']): Targeting['supply'] {
  if (supply === undefined) return null;
  const { completeOnly = false, maxHops = null, sellers = null, authorizedOnly = false } = supply;
  return { completeOnly, maxHops, sellers, authorizedOnly };
}

function fencesOf(things: Things, { stores, storeGroups }: TargetingInput): Targeting['stores'] {
  const grouped = storeGroups?.flatMap((id) => things.get('store-group', id)?.body.stores ?? []);
  if (stores === undefined && grouped === undefined) return null;
  return existing(things, 'store', [...(stores ?? []), ...(grouped ?? [])]);
}

function geoOf(geo: TargetingInput['geo']): Targeting['geo'] {
  if (geo === undefined) return null;
  return { include: geo.include?.map(geoName) ?? null, exclude: geo.exclude?.map(geoName) ?? [] };
}

function geoName({ country, region, city, zip }: GeoNameInput): GeoName {
  const code = countryOf(country);
  return {
    country: code,
    region: region === undefined ? null : (regionOf(region, code) ?? region.toUpperCase()),
    city: city?.trim().toLowerCase() ?? null,
    zip: zip === undefined ? null : zipKey(zip),
  };
}

/** The name before the colon in lower case, the id as it is. */
function userDataOf(segment: string): string {
  const colon = segment.indexOf(':');
  return segment.slice(0, colon).trim().toLowerCase() + segment.slice(colon);
}

/** Rules do not change once they are written, and a snapshot is built at each change of anything. */
const conjunctions = new WeakMap<SegmentRule, readonly (readonly Literal[])[]>();

function clausesOf(things: Things, rule: SegmentRule | undefined): Targeting['segmentRule'] {
  if (rule === undefined) return null;
  let clauses = conjunctions.get(rule);
  if (clauses === undefined) {
    const conjunction = conjunctionOf(rule);
    // Refused when it was written; a clause without literals is one that nobody passes.
    clauses = 'clauses' in conjunction ? conjunction.clauses : [[]];
    conjunctions.set(rule, clauses);
  }
  return clauses.flatMap((clause) => {
    const literals = clause.map((literal) => numbered(things, literal));
    return literals.includes(true) ? [] : [literals.filter((literal) => typeof literal === 'object')];
  });
}

/** A segment that is gone has no members: its absence holds for everybody (true), its membership for nobody (false). */
function numbered(things: Things, { segment: id, not, withinHours }: Literal): SegmentLiteral | boolean {
  const segment = things.get('segment', id)?.body.number;
  return segment === undefined ? not : { segment, not, withinHours };
}

function existing(things: Things, kind: Kind, ids: readonly string[]): string[] {
  return [...new Set(ids)].filter((id) => things.get(kind, id) !== undefined);
}

function numbersOf(things: Things, ids: readonly string[]): number[] {
  return ids.flatMap((id) => things.get('segment', id)?.body.number ?? []);
}

function lower(texts: readonly string[] | undefined): string[] | null {
  return texts === undefined ? null : [...new Set(texts.map((text) => text.trim().toLowerCase()))];
}

function upper(texts: readonly string[] | undefined): string[] | null {
  return texts === undefined ? null : [...new Set(texts.map((text) => text.trim().toUpperCase()))];
}
