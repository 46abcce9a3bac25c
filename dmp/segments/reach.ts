import { ADDRESSABLE_KINDS } from '../../proto/identifier.ts';
import { matchSource } from '../../proto/match.ts';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { Binder } from './binder.ts';
import { both } from './conditions.ts';
import { MINIMUM, rounded } from './minimum.ts';
import type { Compiler } from './plan.ts';
import { placesThatCount } from './rows.ts';
import type { RuleScope } from './scope.ts';
import { kindsKnown, sureEnough } from './unit.ts';

/** People who are asked about, in all or in a part of the facts. */
export interface Group {
  /** Subquery of `profile`, its values in `bound`. */
  readonly people: string;
  readonly bound: Binder;
  /** Condition over `shard`; empty: all. */
  readonly range: string;
  /** People whom one of them stands for. */
  readonly scale: number;
}

/** Where they can be met. Counts are of people, to the nearest ten, null below ten; rates are made of these. */
export interface Reach {
  readonly people: number | null;
  /** Those whom a bid request can name. */
  readonly addressable: number | null;
  /** addressable / people */
  readonly rate: number | null;
  readonly kinds: readonly { readonly kind: string; readonly people: number | null }[];
  /** People with whom the exchange's id is matched, or whom a bid there named. */
  readonly exchanges: readonly { readonly exchange: string; readonly people: number | null; readonly rate: number | null }[];
}

const LIMITS = { seconds: 30, memoryBytes: 3 * 1024 ** 3 };

/** @param since epoch ms: bids since then count */
export async function reach(
  warehouse: Warehouse,
  scope: RuleScope,
  group: Group,
  exchanges: readonly string[],
  since: number,
): Promise<Reach> {
  // Whatever is counted together, it is people who are met, by identifiers that are surely theirs.
  const theirs: Compiler = { scope: { ...scope, level: 'person' }, bound: group.bound };
  const [kinds, met] = await Promise.all([
    countKinds(warehouse, theirs, group),
    countMet(warehouse, theirs, group, exchanges, since),
  ]);
  const tell = (people: number | undefined): number | null =>
    people === undefined || people < MINIMUM ? null : rounded(people * group.scale);
  const people = tell(kinds.get('people'));
  const addressable = tell(kinds.get('addressable'));
  const named = [...kinds]
    .filter(([kind]) => kind.startsWith('kind:'))
    .map(([kind, n]) => ({ kind: kind.slice(5) || 'unknown', people: tell(n) }));
  return {
    people,
    addressable,
    rate: rateOf(addressable, people),
    kinds: named.sort((a, b) => (b.people ?? 0) - (a.people ?? 0) || (a.kind < b.kind ? -1 : 1)),
    exchanges: exchanges.map((exchange) => {
      const found = tell(met.get(exchange));
      return { exchange, people: found, rate: rateOf(found, people) };
    }),
  };
}

function rateOf(some: number | null, all: number | null): number | null {
  return some === null || all === null ? null : Math.min(1, Math.round((some / all) * 1000) / 1000);
}

type CountRow = { readonly name: string; readonly n: string };

async function countKinds(warehouse: Warehouse, theirs: Compiler, { people, bound, range }: Group): Promise<Map<string, number>> {
  const kinds = `arrayDistinct(arrayFlatten(groupArray(${kindsKnown(theirs)})))`;
  const sql = `SELECT arrayJoin(arrayConcat(['people'], if(hasAny(kinds, {reachKinds:Array(String)}), ['addressable'], []), arrayMap(kind -> concat('kind:', kind), kinds))) AS name, count() AS n
    FROM (SELECT profile, ${kinds} AS kinds FROM facts WHERE kind = 'person' AND ${andIn(range)} profile IN (${people}) GROUP BY profile)
    GROUP BY name`;
  const rows = await warehouse.query<CountRow>(
    { sql, params: { ...bound.values, reachKinds: [...ADDRESSABLE_KINDS, ''] } },
    LIMITS,
  );
  return new Map(rows.map(({ name, n }) => [name, Number(n)]));
}

async function countMet(
  warehouse: Warehouse,
  theirs: Compiler,
  { people, bound }: Group,
  exchanges: readonly string[],
  since: number,
): Promise<Map<string, number>> {
  if (exchanges.length === 0) return new Map();
  const sql = `SELECT exchange AS name, uniqExact(profile) AS n
    FROM (SELECT identifier, profile FROM identities FINAL WHERE ${both(`profile IN (${people})`, sureEnough(theirs))}) AS theirs
    INNER JOIN (
      SELECT node AS identifier, transform(toString(source), {reachMatches:Array(String)}, {reachExchanges:Array(String)}, '') AS exchange
      FROM links WHERE source IN {reachMatches:Array(String)}
      UNION DISTINCT
      SELECT identifier, toString(exchange) AS exchange FROM ad_events
      WHERE exchange IN {reachExchanges:Array(String)} AND test = 0 AND bid_at >= fromUnixTimestamp64Milli({reachSince:Int64})
    ) AS met USING identifier GROUP BY exchange`;
  const where = { reachMatches: exchanges.map(matchSource), reachExchanges: [...exchanges], reachSince: since };
  const rows = await warehouse.query<CountRow>({ sql, params: { ...bound.values, ...where } }, LIMITS);
  return new Map(rows.map(({ name, n }) => [name, Number(n)]));
}

const andIn = (range: string): string => (range === '' ? '' : `${range} AND`);

export interface StorePoint {
  readonly id: string;
  readonly lat: number;
  readonly lon: number;
}

/** People by what they have to do with a store, to the nearest ten, null below ten. */
export interface StoreReach {
  readonly store: string;
  /** Whose visit to it is known. */
  readonly visited: number | null;
  /** Whose home is within the distance. */
  readonly home: number | null;
  /** Who were within the distance when they were seen last. */
  readonly near: number | null;
}

/** @param metres from the store to the middle of the cell (200 m) where somebody lives or was seen last */
export async function storeReach(
  warehouse: Warehouse,
  scope: RuleScope,
  group: Group,
  stores: readonly StorePoint[],
  metres: number,
): Promise<StoreReach[]> {
  const rows = countedRows(scope, group);
  const params = {
    ...group.bound.values,
    reachStores: stores.map(({ id }) => id),
    reachLats: stores.map(({ lat }) => lat),
    reachLons: stores.map(({ lon }) => lon),
    reachMetres: metres,
  };
  const sql = `SELECT 'visited' AS what, toString(place) AS store, uniqExact(profile) AS n FROM facts
      WHERE kind = 'visit' AND name = 'store' AND place IN {reachStores:Array(String)} AND ${rows} GROUP BY store
    UNION ALL
    SELECT what, store, groupBitmapMerge(people) AS n
    FROM (SELECT if(kind = 'home', 'home', 'near') AS what, cell, h3ToGeo(cell) AS geo, groupBitmapState(profile) AS people FROM facts
      WHERE kind IN ('home', 'position') AND cell != 0 AND ${rows} GROUP BY what, cell) AS cells
    CROSS JOIN (SELECT arrayJoin(arrayZip({reachStores:Array(String)}, {reachLats:Array(Float64)}, {reachLons:Array(Float64)})) AS at, at.1 AS store) AS stores
    WHERE greatCircleDistance(geo.2, geo.1, at.3, at.2) <= {reachMetres:Float64} GROUP BY what, store
    SETTINGS h3togeo_lon_lat_result_order = 0`;
  const found = await warehouse.query<CountRow & { what: string; store: string }>({ sql, params }, LIMITS);
  const tell = (store: string, what: string): number | null => {
    const people = Number(found.find((row) => row.store === store && row.what === what)?.n ?? 0);
    return people < MINIMUM ? null : rounded(people * group.scale);
  };
  return stores.map(({ id }) => ({ store: id, visited: tell(id, 'visited'), home: tell(id, 'home'), near: tell(id, 'near') }));
}

/** Rows of places, of the people that count for whom it is told. */
function countedRows(scope: RuleScope, { people, bound, range }: Group): string {
  return [range, placesThatCount({ scope, bound }), `profile IN (${people})`]
    .filter((condition) => condition !== '')
    .join(' AND ');
}

/** A cell of the heat map: H3, as text. */
export interface HeatCell {
  readonly cell: string;
  readonly resolution: number;
  /** To the nearest ten, ten at least. */
  readonly people: number;
}

/** From the finest: cells of about 5, 36, 250 and 1,800 square kilometres. */
const RESOLUTIONS = [7, 6, 5, 4] as const;

/**
 * Where they live, or were seen last where no home is known. A cell with fewer than ten people is not told: its people are told together with those
 * of such cells around it, as the next larger cell, which then is one without the smaller ones that are told.
 */
export async function heatMap(warehouse: Warehouse, scope: RuleScope, group: Group): Promise<HeatCell[]> {
  const rows = countedRows(scope, group);
  const parents = RESOLUTIONS.map((resolution) => `h3ToString(h3ToParent(spot, ${resolution})) AS r${resolution}`).join(', ');
  const sql = `SELECT ${parents}, count() AS n FROM (
      SELECT profile, argMax(cell, (kind = 'home', at)) AS spot FROM facts
      WHERE kind IN ('home', 'position') AND cell != 0 AND ${rows} GROUP BY profile)
    GROUP BY ${RESOLUTIONS.map((resolution) => `r${resolution}`).join(', ')}`;
  const cells = await warehouse.query<Record<string, string>>({ sql, params: group.bound.values }, LIMITS);
  return foldCells(
    cells.map((row) => ({ path: RESOLUTIONS.map((resolution) => row[`r${resolution}`] as string), people: Number(row['n']) })),
    group.scale,
  );
}

interface Counted {
  /** The cell and those that it lies in, from the finest. */
  readonly path: readonly string[];
  readonly people: number;
}

function foldCells(cells: readonly Counted[], scale: number): HeatCell[] {
  const told: HeatCell[] = [];
  let left = cells;
  for (const [level, resolution] of RESOLUTIONS.entries()) {
    const sums = new Map<string, { path: readonly string[]; people: number }>();
    for (const { path, people } of left) {
      const cell = path[level] as string;
      sums.set(cell, { path, people: (sums.get(cell)?.people ?? 0) + people });
    }
    const all = [...sums];
    for (const [cell, { people }] of all)
      if (people >= MINIMUM) told.push({ cell, resolution, people: rounded(people * scale) as number });
    left = all.filter(([, { people }]) => people < MINIMUM).map(([, sum]) => sum);
  }
  return told.sort((a, b) => b.people - a.people || (a.cell < b.cell ? -1 : 1));
}
