import { createHash } from 'node:crypto';
import { cellToParent } from 'h3-js';
import { cellsNear } from '../segments/cells.ts';
import type { Near, Window } from '../segments/members.ts';
import type { Leaf } from '../segments/rule.ts';
import type { RuleScope } from '../segments/scope.ts';
import type { Happened } from './happened.ts';

/** A leaf that `streamingOf` has passed, ready to be held against events. */
export interface StreamLeaf {
  /** Of the leaf: what counters of it are kept under. */
  readonly id: string;
  /** Of how many different events it is. */
  readonly count: number;
  readonly looksAtPings: boolean;
  /** Whether visits to a place are what it is about; null: it is not about visits. */
  readonly wants: ((place: { readonly kind: 'store' | 'geofence'; readonly id: string }) => boolean) | null;
  /** Whether the event is one of them; not whether it is young enough. */
  fits(happened: Happened): boolean;
  /** Until when the leaf holds, epoch ms, given the newest `count` times, newest first; 0: it does not. */
  until(times: readonly number[]): number;
}

const DAY_MS = 86_400_000;
/** The next refresh takes over long before; where none comes, a membership that no window ends is not kept for ever. */
const LONGEST_MS = DAY_MS;
/** By which the clocks of those who send may be ahead. */
const AHEAD_MS = 10_000;

interface Body {
  readonly [name: string]: unknown;
  readonly count?: { readonly min?: number };
  readonly clicks?: { readonly min?: number };
  readonly last?: { readonly max?: number };
  readonly window?: Window;
  readonly near?: Near;
  readonly stores?: readonly string[];
  readonly storeGroups?: readonly string[];
  readonly under?: readonly string[];
  readonly urlContains?: string;
  readonly channel?: 'store' | 'online';
  readonly geofences?: readonly string[];
  readonly rivals?: boolean;
  readonly metres?: number;
  readonly hours?: number;
  readonly minDwellSeconds?: number;
  readonly sources?: readonly string[];
}

/** Which filter looks at which part of an event. */
const LOOKS_AT: Readonly<Record<string, keyof Happened>> = {
  products: 'products',
  departments: 'departments',
  categories: 'categories',
  brands: 'brands',
  sources: 'source',
  coupons: 'item',
  promotions: 'name',
  names: 'name',
  items: 'item',
  values: 'value',
  campaigns: 'name',
  lineItems: 'item',
  creatives: 'value',
};

/** As dmp/segments/nodes/near.ts has them where they are not given. */
const NEAR_HOURS = 1;
const NEAR_METRES = 500;

/** @param now gives the time at each look */
export function streamLeaf(leaf: Leaf, scope: RuleScope, now: () => number): StreamLeaf {
  const [kind, given] = Object.entries(leaf)[0] as [string, Body];
  const isNear = kind === 'near';
  // Of a last position its hours are the window.
  const body: Body = isNear ? { last: { max: (given.hours ?? NEAR_HOURS) / 24 } } : given;
  const wanted = kind === 'exposures' ? (body.clicks === undefined ? 'impression' : 'click') : kind;
  const places = kind === 'visits' ? placesOf(body, scope) : null;
  const filters = places ?? (isNear ? areaOf(given, scope) : filtersOf(body, scope));
  const count = Math.ceil(body.count?.min ?? body.clicks?.min ?? 1);
  // Whose word is needed is asked by an evaluation only.
  const unheard = new Set([...(scope.withheld ?? []), ...(scope.consents?.recorded ?? [])]);
  return {
    id: createHash('sha256')
      .update(JSON.stringify([leaf, [...unheard].sort(), [...(filters.stores ?? [])].sort(), [...(places?.fences ?? [])].sort()]))
      .digest('hex')
      .slice(0, 16),
    count,
    looksAtPings: isNear,
    wants: places?.wants ?? null,
    fits: (happened) =>
      happened.kind === wanted &&
      !unheard.has(happened.source) &&
      !happened.sources.some((source) => unheard.has(source)) &&
      filters.fits(happened),
    until: (times) => untilOf(body, count, times, now()),
  };
}

function filtersOf(body: Body, scope: RuleScope) {
  const sets: [keyof Happened, ReadonlySet<unknown>][] = [];
  for (const [name, part] of Object.entries(LOOKS_AT)) {
    const values = body[name] as readonly string[] | undefined;
    if (values !== undefined) sets.push([part, new Set(values)]);
  }
  const stores = storesOf(body, scope);
  if (stores !== null) sets.push(['stores', stores]);
  const { under, urlContains, channel } = body;
  const fits = (happened: Happened): boolean => {
    for (const [part, values] of sets) if (!values.has(happened[part])) return false;
    if (urlContains !== undefined && !happened.item.includes(urlContains)) return false;
    if (channel !== undefined && (channel === 'online') !== (happened.stores === '')) return false;
    return under === undefined || under.some((path) => isUnder(happened.categories, path));
  };
  return { stores, fits };
}

const NOWHERE: ReadonlySet<string> = new Set();

/** The same places as dmp/segments/nodes/visits.ts takes. */
function placesOf(body: Body, scope: RuleScope) {
  const { geofences, rivals, minDwellSeconds = 0, sources } = body;
  const rival = rivals === true ? (scope.places?.rivals() ?? []) : [];
  const fences = geofences === undefined && rivals !== true ? null : new Set([...(geofences ?? []), ...rival]);
  const named = storesOf(body, scope);
  // Null: any store there is.
  const stores = named ?? (fences !== null ? NOWHERE : scope.stores === null ? null : new Set(scope.stores));
  const from = sources === undefined ? null : new Set(sources);
  const wants = (place: { readonly kind: 'store' | 'geofence'; readonly id: string }): boolean =>
    place.kind === 'store' ? stores === null || stores.has(place.id) : (fences ?? NOWHERE).has(place.id);
  const fits = (happened: Happened): boolean =>
    wants(happened.geofence === '' ? { kind: 'store', id: happened.stores } : { kind: 'geofence', id: happened.geofence }) &&
    happened.dwell >= minDwellSeconds &&
    (from === null || happened.sources.some((source) => from.has(source)));
  return { stores, fences, wants, fits };
}

/** The same cells as dmp/segments/nodes/near.ts looks for. */
function areaOf({ stores, storeGroups, geofences, rivals, metres = NEAR_METRES }: Body, scope: RuleScope) {
  const isAny = stores === undefined && storeGroups === undefined && geofences === undefined && rivals !== true;
  const ids = isAny
    ? (scope.stores ?? scope.places?.stores() ?? [])
    : [...(stores ?? []), ...(storeGroups ?? []).flatMap((id) => scope.storesOf(id))];
  const fences = [
    ...ids.map((id) => scope.places?.fence('store', id)),
    ...(geofences ?? []).map((id) => scope.places?.fence('geofence', id)),
    ...(rivals === true ? (scope.places?.rivals() ?? []) : []).map((id) => scope.places?.fence('geofence', id)),
  ];
  const sets = new Map<number, Set<string>>();
  for (const fence of fences) {
    if (fence == null) continue;
    const { resolution, cells } = cellsNear(fence, metres);
    const all = sets.get(resolution) ?? new Set();
    for (const cell of cells) all.add(cell);
    sets.set(resolution, all);
  }
  const fits = ({ cell }: Happened): boolean => {
    for (const [resolution, cells] of sets) if (cells.has(resolution === 9 ? cell : cellToParent(cell, resolution))) return true;
    return false;
  };
  return { stores: new Set(ids), fits };
}

/** The same stores as dmp/segments/conditions.ts takes. */
function storesOf({ stores, storeGroups, near }: Body, scope: RuleScope): ReadonlySet<string> | null {
  if (stores === undefined && storeGroups === undefined && near === undefined) return null;
  const grouped = (storeGroups ?? []).flatMap((id) => scope.storesOf(id));
  return new Set([...(stores ?? []), ...grouped, ...(near === undefined ? [] : (scope.storesNear?.(near) ?? []))]);
}

function isUnder(category: string, path: string): boolean {
  return category === path || category.startsWith(`${path}/`) || category.startsWith(`${path} > `);
}

function untilOf({ window, last }: Body, count: number, times: readonly number[], now: number): number {
  const inWindow = times.filter((at) => at <= now + AHEAD_MS && isWithin(window, at));
  const deciding = inWindow[count - 1];
  if (deciding === undefined) return 0;
  let until = now + LONGEST_MS;
  if (window?.days !== undefined) until = Math.min(until, deciding + window.days * DAY_MS);
  if (last?.max !== undefined) until = Math.min(until, (inWindow[0] as number) + last.max * DAY_MS);
  return until > now ? until : 0;
}

function isWithin(window: Window | undefined, at: number): boolean {
  if (window?.from === undefined && window?.to === undefined) return true;
  const from = window.from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(`${window.from}T00:00:00Z`);
  const to = window.to === undefined ? Number.POSITIVE_INFINITY : Date.parse(`${window.to}T00:00:00Z`) + DAY_MS;
  return at >= from && at < to;
}
