import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import type { Rule } from '../../dmp/segments/rule.ts';

/** A small world of people and facts, and rules about it, both from a seed. */
export interface World {
  readonly now: number;
  readonly people: readonly { readonly identifier: string; readonly profile: number }[];
  readonly purchases: readonly Purchase[];
  readonly products: readonly Product[];
  readonly visits: readonly Visit[];
  readonly redemptions: readonly Redemption[];
  readonly pages: readonly Page[];
  readonly attributes: readonly AttributeRow[];
  readonly memberships: readonly Membership[];
  readonly groups: Readonly<Record<string, readonly string[]>>;
}
interface Purchase {
  source: string;
  receipt: string;
  line: string;
  at: number;
  identifier: string;
  store: string;
  product: string;
  category: string;
  department: string;
  brand: string;
  amount: number;
  ingested: number;
}
interface Product {
  source: string;
  product: string;
  category: string;
  department: string;
  brand: string;
  ingested: number;
}
interface Visit {
  identifier: string;
  kind: 'store' | 'geofence';
  place: string;
  day: string;
  start: number;
  dwell: number;
  cancelled: number;
  version: number;
}
interface Redemption {
  source: string;
  id: string;
  identifier: string;
  at: number;
  coupon: string;
  promotion: string;
}
interface Page {
  source: string;
  id: string;
  identifier: string;
  at: number;
  url: string;
}
interface AttributeRow {
  source: string;
  identifier: string;
  name: string;
  text: string;
  number: number | null;
  at: number;
}
interface Membership {
  segment: string;
  profile: number;
  version: number;
  status: 1 | -1;
}

export type Random = () => number;

/** mulberry32 */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const int = (random: Random, from: number, to: number): number => from + Math.floor(random() * (to - from + 1));
export const pick = <T>(random: Random, values: readonly T[]): T => values[int(random, 0, values.length - 1)] as T;
const many = <T>(random: Random, most: number, make: (index: number) => T): T[] =>
  Array.from({ length: int(random, 0, most) }, (_, index) => make(index));
const some = <T>(random: Random, values: readonly T[]): T[] => {
  const chosen = values.filter(() => random() < 0.4);
  return chosen.length === 0 ? [pick(random, values)] : chosen;
};
export const uuid = (n: number): string => `00000000-0000-8000-8000-${String(n).padStart(12, '0')}`;

const DAY = 86_400_000;
const STORES = ['st_1', 'st_2', 'st_3', ''];
const PLACES = ['st_1', 'st_2', 'st_3'];
const FENCES = ['gf_1', 'gf_2'];
const SOURCES = ['till', 'bank'];
const PRODUCTS = ['', 'milk', 'beer', 'soap'];
const CATEGORIES = ['', 'DAIRY', 'DRINKS'];
const DEPARTMENTS = ['', 'FOOD', 'HOME'];
const BRANDS = ['', 'Own', "O'Hara"];
const COUPONS = ['c1', 'c2'];
const URLS = ['https://a.example/shop?x=1', 'https://a.example/%_', 'https://b.example/'];
const NAMES = ['age', 'city'];
const SEGMENTS = ['seg_1', 'seg_2'];
/** Noon of the 22nd of last month: within retention, and all facts in one month, since equal keys are one row only there. */
const NOW = Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() - 1, 22, 12);
const MONTH = new Date(NOW).toISOString().slice(0, 7);

export function randomWorld(random: Random): World {
  const profiles = int(random, 3, 10);
  const people = Array.from({ length: int(random, profiles, profiles + 8) }, (_, n) => ({
    identifier: uuid(n + 1),
    profile: n < profiles ? n + 1 : int(random, 1, profiles),
  }));
  // The last identifier is of nobody: its facts count for no one yet.
  const identifier = (): string => (random() < 0.04 ? uuid(999) : pick(random, people).identifier);
  // Now and then exactly at the edges of windows.
  const at = (): number => {
    const days = int(random, 0, 9);
    if (random() < 0.15) return NOW - days * DAY;
    if (random() < 0.15) return Date.parse(`${MONTH}-20T00:00:00Z`) - days * DAY - (random() < 0.5 ? 1 : 0);
    return NOW - Math.floor(random() * 10 * DAY) + (random() < 0.05 ? 2 * DAY : 0);
  };
  return {
    now: NOW,
    people,
    purchases: many(random, 50, (n) => ({
      source: pick(random, SOURCES),
      receipt: `r${int(random, 1, 20)}`,
      line: String(int(random, 1, 2)),
      at: at(),
      identifier: identifier(),
      store: pick(random, STORES),
      product: pick(random, PRODUCTS),
      category: pick(random, CATEGORIES),
      department: pick(random, DEPARTMENTS),
      brand: pick(random, BRANDS),
      amount: int(random, -3, 6) * 1_000_000,
      ingested: NOW + n,
    })),
    products: many(random, 6, (n) => ({
      source: pick(random, SOURCES),
      product: pick(random, PRODUCTS),
      category: pick(random, CATEGORIES),
      department: pick(random, DEPARTMENTS),
      brand: pick(random, BRANDS),
      ingested: NOW + n,
    })),
    visits: many(random, 40, (n) => {
      const kind = pick(random, ['store', 'geofence'] as const);
      const start = at();
      return {
        identifier: identifier(),
        kind,
        place: pick(random, kind === 'store' ? PLACES : FENCES),
        day: new Date(start).toISOString().slice(0, 10),
        start,
        dwell: int(random, 3, 180) * 60,
        cancelled: random() < 0.15 ? 1 : 0,
        // Retention counts from it.
        version: NOW + n,
      };
    }),
    redemptions: many(random, 20, (n) => ({
      source: pick(random, SOURCES),
      id: `x${n}`,
      identifier: identifier(),
      at: at(),
      coupon: pick(random, COUPONS),
      promotion: pick(random, ['p1', 'p2']),
    })),
    pages: many(random, 20, (n) => ({
      source: pick(random, SOURCES),
      id: `v${n}`,
      identifier: identifier(),
      at: at(),
      url: pick(random, URLS),
    })),
    attributes: many(random, 20, () => {
      const number = random() < 0.5 ? int(random, 0, 5) : null;
      return {
        source: pick(random, SOURCES),
        identifier: identifier(),
        name: pick(random, NAMES),
        text: number === null ? pick(random, ['x', "y'", 'true']) : String(number),
        number,
        at: at(),
      };
    }),
    memberships: many(random, 20, (n) => ({
      segment: pick(random, SEGMENTS),
      profile: int(random, 1, profiles + 1),
      version: n + 1,
      status: pick(random, [1, -1] as const),
    })),
    groups: { sg_1: ['st_1', 'st_2'], sg_2: ['st_3'], sg_none: [] },
  };
}

export function randomRule(random: Random, depth = 0): Rule {
  const kinds = depth >= 3 ? LEAF_KINDS : ([...LEAF_KINDS, 'all', 'any', 'not'] as const);
  const kind = pick(random, kinds);
  switch (kind) {
    case 'all':
      return { all: Array.from({ length: int(random, 1, 3) }, () => randomRule(random, depth + 1)) };
    case 'any':
      return { any: Array.from({ length: int(random, 1, 3) }, () => randomRule(random, depth + 1)) };
    case 'not':
      return { not: randomRule(random, depth + 1) };
    case 'purchases':
      return {
        purchases: {
          ...maybe(random, 0.5, { count: range(random, 0, 5) }),
          ...maybe(random, 0.3, { sum: range(random, -6_000_000, 12_000_000) }),
          ...maybe(random, 0.2, { days: range(random, 0, 4) }),
          ...window(random),
          ...maybe(random, 0.2, { stores: some(random, STORES) }),
          ...maybe(random, 0.15, { storeGroups: some(random, ['sg_1', 'sg_2', 'sg_none']) }),
          ...maybe(random, 0.2, { departments: some(random, DEPARTMENTS) }),
          ...maybe(random, 0.2, { categories: some(random, CATEGORIES) }),
          ...maybe(random, 0.2, { brands: some(random, BRANDS) }),
          ...maybe(random, 0.1, { products: some(random, PRODUCTS) }),
          ...maybe(random, 0.2, { sources: some(random, SOURCES) }),
        },
      };
    case 'visits':
      return {
        visits: {
          ...maybe(random, 0.5, { count: range(random, 0, 4) }),
          ...maybe(random, 0.2, { days: range(random, 0, 3) }),
          ...maybe(random, 0.2, { dwell: range(random, 0, 20_000) }),
          ...window(random),
          ...maybe(random, 0.25, { stores: some(random, PLACES) }),
          ...maybe(random, 0.2, { storeGroups: some(random, ['sg_1', 'sg_2', 'sg_none']) }),
          ...maybe(random, 0.25, { geofences: some(random, FENCES) }),
          ...maybe(random, 0.2, { minDwellSeconds: int(random, 0, 9_000) }),
        },
      };
    case 'redemptions':
      return {
        redemptions: {
          ...maybe(random, 0.5, { count: range(random, 0, 3) }),
          ...window(random),
          ...maybe(random, 0.3, { coupons: some(random, COUPONS) }),
          ...maybe(random, 0.3, { promotions: some(random, ['p1', 'p2']) }),
        },
      };
    case 'pages':
      return {
        pages: {
          ...maybe(random, 0.5, { count: range(random, 0, 3) }),
          ...window(random),
          ...maybe(random, 0.5, { urlContains: pick(random, ['shop', '%_', 'example', "'"]) }),
        },
      };
    case 'attribute':
      return {
        attribute: {
          name: pick(random, NAMES),
          ...maybe(random, 0.4, { in: some(random, ['x', "y'", 3, true, '4']) }),
          ...maybe(random, 0.4, range(random, 0, 5)),
        },
      };
    case 'segment':
      return { segment: pick(random, SEGMENTS) };
  }
}

const LEAF_KINDS = ['purchases', 'visits', 'redemptions', 'pages', 'attribute', 'segment', 'purchases', 'visits'] as const;

const maybe = <T extends object>(random: Random, chance: number, part: T): T | Record<never, never> =>
  random() < chance ? part : {};

function range(random: Random, from: number, to: number): { min?: number; max?: number } {
  const [a, b] = [int(random, from, to), int(random, from, to)].sort((x, y) => x - y) as [number, number];
  const roll = random();
  return roll < 0.45 ? { min: a } : roll < 0.7 ? { max: b } : { min: a, max: b };
}

function window(random: Random): { window?: { days: number } | { from: string; to: string } } {
  const roll = random();
  if (roll < 0.5) return {};
  if (roll < 0.8) return { window: { days: int(random, 1, 9) } };
  const [a, b] = [int(random, 12, 23), int(random, 12, 23)].sort((x, y) => x - y);
  return { window: { from: `${MONTH}-${a}`, to: `${MONTH}-${b}` } };
}

const time = (at: number): string => new Date(at).toISOString();

/** Puts the world into the warehouse in place of what was there, in two parts, so that FINAL has work. */
export async function fillWarehouse(warehouse: Warehouse, world: World): Promise<void> {
  const tables: Readonly<Record<string, readonly object[]>> = {
    identities: world.people.map((person) => ({ ...person, kind: 'ifa', anchor: person.identifier, version: 1 })),
    purchases: world.purchases.map((row) => ({
      ...row,
      at: time(row.at),
      ingested: time(row.ingested),
      quantity: 1,
      currency: 'USD',
    })),
    products: world.products.map((row) => ({ ...row, name: '', ingested: time(row.ingested) })),
    visits: world.visits.map((row) => ({ ...row, start: time(row.start), end: time(row.start + row.dwell * 1000), pings: 2 })),
    redemptions: world.redemptions.map((row) => ({ ...row, at: time(row.at), ingested: time(NOW) })),
    pages: world.pages.map((row) => ({ ...row, at: time(row.at), title: '', ingested: time(NOW) })),
    attributes: world.attributes.map((row) => ({ ...row, at: time(row.at) })),
    memberships: world.memberships.map((row) => ({ ...row, at: time(0) })),
  };
  for (const [table, rows] of Object.entries(tables)) {
    await warehouse.command({ sql: `TRUNCATE TABLE ${table}` });
    const half = Math.floor(rows.length / 2);
    await warehouse.insert(table, rows.slice(0, half));
    await warehouse.insert(table, rows.slice(half));
  }
}
