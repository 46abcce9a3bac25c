import { latLngToCell } from 'h3-js';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import type { Level } from '../../dmp/identity/kinds.ts';
import type { Bounds, HourSpan, Near, Weekday, Window } from '../../dmp/segments/members.ts';
import type { RuleScope } from '../../dmp/segments/scope.ts';
import { cellToUInt64, type Fence } from '../../proto/fence.ts';

/** A row of `facts`; what is not of its kind is empty. */
export interface Fact {
  readonly profile: number;
  readonly device: number;
  readonly household: number;
  /** How surely what names it is of the device and the person, and the person of the household, in percent. */
  readonly device_sure: number;
  readonly person_sure: number;
  readonly household_sure: number;
  readonly kind:
    | 'person'
    | 'purchase'
    | 'visit'
    | 'redemption'
    | 'page'
    | 'action'
    | 'impression'
    | 'click'
    | 'attribute'
    | 'position'
    | 'home'
    | 'work';
  /** Epoch ms. */
  readonly at: number;
  readonly day: string;
  readonly hour: number;
  /** 1 Monday to 7. */
  readonly weekday: number;
  readonly source: string;
  readonly sources: readonly string[];
  readonly once: number;
  readonly place: string;
  readonly product: string;
  readonly category: string;
  readonly department: string;
  readonly brand: string;
  readonly channel: string;
  readonly name: string;
  readonly item: string;
  readonly value: string;
  readonly number: number;
  readonly quantity: number;
  readonly amount: number;
  readonly currency: string;
  readonly dwell: number;
  /** H3 in decimal. */
  readonly cell: string;
  readonly identifier: string;
  readonly id: number;
}

/** A small world of people and facts, from a seed. */
export interface World {
  readonly now: number;
  readonly facts: readonly Fact[];
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly stores: Readonly<Record<string, { readonly lat: number; readonly lon: number }>>;
  /** Of stores and geofences. */
  readonly fences: Readonly<Record<string, Fence>>;
  /** Campaigns that hold people out, in hundredths of a percent. */
  readonly holdouts: Readonly<Record<string, { readonly salt: string; readonly share: number }>>;
  /** Whom uploaded lists name, by identifier. */
  readonly lists: readonly {
    readonly list: string;
    readonly identifier: string;
    readonly source: string;
    readonly removed: 0 | 1;
  }[];
  /** What look-alikes said of people, oldest first. */
  readonly scores: readonly { readonly model: string; readonly profile: number; readonly score: number }[];
  /** Members of stored segments, each with the statuses that it had, oldest first. */
  readonly segments: Readonly<Record<string, readonly { readonly profile: number; readonly status: 1 | -1 }[]>>;
  readonly withheld: readonly string[];
  readonly currency: string;
  readonly perUsd: Readonly<Record<string, number>>;
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
export const some = <T>(random: Random, values: readonly T[], chance = 0.4): T[] => {
  const chosen = values.filter(() => random() < chance);
  return chosen.length === 0 ? [pick(random, values)] : chosen;
};
export const maybe = <T extends object>(random: Random, chance: number, part: T): T | Record<never, never> =>
  random() < chance ? part : {};
export const uuid = (n: number): string => `00000000-0000-8000-8000-${String(n).padStart(12, '0')}`;

export function range(random: Random, from: number, to: number): Bounds {
  const [a, b] = [int(random, from, to), int(random, from, to)].sort((x, y) => x - y) as [number, number];
  const roll = random();
  return roll < 0.45 ? { min: a } : roll < 0.7 ? { max: b } : { min: a, max: b };
}

export function window(random: Random): { window?: Window } {
  const roll = random();
  if (roll < 0.5) return {};
  if (roll < 0.8) return { window: { days: int(random, 1, 9) } };
  const [a, b] = [int(random, 12, 23), int(random, 12, 23)].sort((x, y) => x - y);
  return { window: { from: `2026-03-${a}`, to: `2026-03-${b}` } };
}

/** Filters of time that most leaves have. */
export const times = (random: Random): { weekdays?: Weekday[]; hours?: HourSpan } => ({
  ...maybe(random, 0.12, { weekdays: some(random, ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']) }),
  ...maybe(random, 0.12, { hours: { from: int(random, 0, 11) * 2, to: int(random, 0, 11) * 2 + 1 } }),
});

export const places = (random: Random): { stores?: string[]; storeGroups?: string[]; near?: Near } => ({
  ...maybe(random, 0.2, { stores: some(random, STORES) }),
  ...maybe(random, 0.15, { storeGroups: some(random, ['sg_1', 'sg_2', 'sg_none']) }),
  ...maybe(random, 0.1, {
    near: {
      metres: pick(random, [500, 5_000, 100_000]),
      ...(random() < 0.5 ? { stores: some(random, STORES) } : { lat: 55.75, lon: 37.62 }),
    },
  }),
});

export const ages = (random: Random): { first?: Bounds; last?: Bounds } => ({
  ...maybe(random, 0.1, { first: range(random, -1, 9) }),
  ...maybe(random, 0.12, { last: range(random, -1, 9) }),
});

export const DAY = 86_400_000;
export const STORES = ['st_1', 'st_2', 'st_3'];
export const FENCES = ['gf_1', 'gf_2'];
export const RIVAL = 'gf_2';
export const SOURCES = ['till', 'bank'];
export const PRODUCTS = ['', 'milk', 'beer', 'soap'];
export const CATEGORIES = ['', 'DAIRY', 'Food', 'Food/Dairy', 'Food > Drinks', 'Foodless'];
export const DEPARTMENTS = ['', 'FOOD', 'HOME'];
export const BRANDS = ['', 'Own', "O'Hara"];
export const SEGMENTS = ['seg_1', 'seg_2'];
export const NOW = Date.UTC(2026, 2, 22, 12);

const PLACES_OF = { st_1: { lat: 55.75, lon: 37.62 }, st_2: { lat: 55.76, lon: 37.63 }, st_3: { lat: 55.95, lon: 38.2 } };
const FENCES_OF: Readonly<Record<string, Fence>> = {
  ...Object.fromEntries(Object.entries(PLACES_OF).map(([id, place]) => [id, { type: 'circle', radius: 75, ...place }])),
  gf_1: { type: 'circle', lat: 55.752, lon: 37.61, radius: 1_500 },
  gf_2: {
    type: 'polygon',
    rings: [
      [
        [37.6, 55.75],
        [37.66, 55.75],
        [37.66, 55.8],
        [37.6, 55.78],
        [37.6, 55.75],
      ],
    ],
  },
};
/** Hours that a store's clock is ahead. */
const AHEAD: Readonly<Record<string, number>> = { st_1: 3, st_2: 3, st_3: -5 };

interface Who {
  readonly profile: number;
  readonly device: number;
  readonly household: number;
  readonly device_sure: number;
  readonly person_sure: number;
  readonly household_sure: number;
  readonly identifier: string;
}

const NOTHING = {
  source: '',
  sources: [],
  place: '',
  product: '',
  category: '',
  department: '',
  brand: '',
  channel: '',
  name: '',
  item: '',
  value: '',
  number: Number.NaN,
  quantity: 0,
  amount: 0,
  currency: '',
  dwell: 0,
  cell: '0',
} as const;

/** A fact at a time; its day, hour and weekday are of the store's clock, the day of a visit only. */
function factAt(who: Who, kind: Fact['kind'], at: number, id: number, part: Partial<Fact>): Fact {
  const local = new Date(at + (AHEAD[part.place ?? ''] ?? 0) * 3_600_000);
  return {
    ...NOTHING,
    ...who,
    kind,
    at,
    day: (kind === 'visit' ? local : new Date(at)).toISOString().slice(0, 10),
    hour: local.getUTCHours(),
    weekday: ((local.getUTCDay() + 6) % 7) + 1,
    once: id,
    id,
    ...part,
  };
}

export function randomWorld(random: Random): World {
  const profiles = int(random, 3, 10);
  const households = Array.from({ length: profiles }, () => int(random, 1, profiles) * 700);
  // Who gives the household its number is of it without doubt, if they are in this world.
  const atHome = Array.from({ length: profiles }, () => pick(random, [100, 100, 60, 30]));
  // A person has no device that is known, or some.
  const people: Who[] = Array.from({ length: profiles + 8 }, (_, n) => {
    const profile = n < profiles ? n + 1 : int(random, 1, profiles);
    const device = random() < 0.3 ? 0 : profile * 10 + int(random, 0, 1);
    const [person_sure, household_sure] = [n < profiles ? 100 : pick(random, [100, 95, 85]), atHome[profile - 1] as number];
    const device_sure = Math.min(person_sure, pick(random, [100, 100, 90]));
    const household = households[profile - 1] as number;
    return { profile, device, household, device_sure, person_sure, household_sure, identifier: uuid(n + 1) };
  });
  // Now and then exactly at the edges of windows.
  const at = (): number => {
    const days = int(random, 0, 9);
    if (random() < 0.15) return NOW - days * DAY;
    if (random() < 0.15) return Date.UTC(2026, 2, 20) - days * DAY - (random() < 0.5 ? 1 : 0);
    return NOW - Math.floor(random() * 10 * DAY) + (random() < 0.05 ? 2 * DAY : 0);
  };
  let id = 0;
  const facts: Fact[] = [];
  const add = (kind: Fact['kind'], part: Partial<Fact> = {}, when = at(), who = pick(random, people)): void => {
    facts.push(factAt(who, kind, when, ++id, part));
  };
  const many = (most: number, make: () => void): void => {
    for (let n = int(random, 0, most); n > 0; n--) make();
  };

  const met = new Set<string>();
  for (const who of people) {
    const key = `${who.profile} ${who.device}`;
    // What the person is known by is of the person; which kinds, of the device.
    const value = ['', 'ifa', 'cookie,email'][(who.profile + who.device) % 3] as string;
    const same = people.filter(({ profile, device }) => profile === who.profile && device === who.device);
    const [device_sure, person_sure] = [
      Math.max(...same.map((one) => one.device_sure)),
      Math.max(...same.map((one) => one.person_sure)),
    ];
    const name = value === 'cookie,email' ? 'cookie:60:85' : value === 'ifa' ? 'ifa:85:95' : '';
    if (!met.has(key)) add('person', { once: 0, item: uuid(who.profile), value, name }, 0, { ...who, device_sure, person_sure });
    met.add(key);
  }
  many(25, () => {
    const [who, when, once, place] = [pick(random, people), at(), 1_000_000 + id, pick(random, [...STORES, ''])];
    const [source, channel, currency] = [
      pick(random, SOURCES),
      pick(random, ['', 'store', 'online']),
      pick(random, ['USD', 'USD', 'EUR', 'RUB', 'XXX']),
    ];
    many(3, () =>
      add(
        'purchase',
        {
          once,
          source,
          channel,
          currency,
          // A line may say something else than its receipt.
          place: random() < 0.05 ? pick(random, STORES) : place,
          product: pick(random, PRODUCTS),
          category: pick(random, CATEGORIES),
          department: pick(random, DEPARTMENTS),
          brand: pick(random, BRANDS),
          quantity: pick(random, [0, 1, 1, 2, 0.5, 0.1, 0.2]),
          amount: int(random, -3, 6) * pick(random, [1_000_000, 999_999]),
        },
        when,
        who,
      ),
    );
  });
  many(40, () => {
    const name = pick(random, ['store', 'geofence'] as const);
    const place = pick(random, name === 'store' ? STORES : FENCES);
    const when = at();
    const local = new Date(when + (AHEAD[place] ?? 0) * 3_600_000).toISOString().slice(0, 10);
    const sources = some(random, SOURCES);
    add(
      'visit',
      {
        name,
        place,
        once: Number(local.replaceAll('-', '')) * 10 + [...STORES, ...FENCES].indexOf(place),
        dwell: int(random, 3, 180) * 60,
        sources,
        source: sources.length === 1 ? (sources[0] as string) : '',
        cell: pick(random, CELLS),
      },
      when,
    );
  });
  many(20, () =>
    add('redemption', { source: pick(random, SOURCES), name: pick(random, ['p1', 'p2']), item: pick(random, ['c1', 'c2']) }),
  );
  many(20, () => add('page', { source: pick(random, SOURCES), item: pick(random, URLS) }));
  many(15, () =>
    add('action', {
      source: pick(random, SOURCES),
      name: pick(random, ['survey', 'app_opened']),
      item: pick(random, ['', 'q1']),
      value: pick(random, ['', 'yes', 'no']),
      place: pick(random, [...STORES, '']),
    }),
  );
  const ad = () => ({
    ...{ name: pick(random, ['cmp_1', 'cmp_2']), item: pick(random, ['li_1', 'li_2']), value: pick(random, ['cr_1', 'cr_2']) },
  });
  many(25, () => add('impression', ad()));
  many(6, () => add('click', ad()));
  const said = new Set<string>();
  many(25, () => {
    const number = random() < 0.4 ? int(random, 0, 5) : Number.NaN;
    const item = Number.isNaN(number)
      ? pick(random, ['x', "y'", 'true', '2026-03-15', '2026-03-20T10:00:00Z', '26-03-20'])
      : String(number);
    const [who, name, source] = [pick(random, people), pick(random, ['age', 'city', 'birthday']), pick(random, SOURCES)];
    // An identifier's newest value of a source is kept only.
    const key = `${who.identifier} ${name} ${source}`;
    if (!said.has(key)) add('attribute', { source, name, number, item }, at(), who);
    said.add(key);
  });
  for (const kind of ['position', 'home', 'work'] as const)
    for (const who of people) if (random() < 0.3) add(kind, { cell: pick(random, CELLS) }, at(), who);

  const memberships = (): World['segments'][string] =>
    Array.from({ length: int(random, 0, 10) }, () => ({
      profile: int(random, 1, profiles),
      status: pick(random, [1, -1] as const),
    }));
  return {
    now: NOW,
    facts,
    groups: { sg_1: ['st_1', 'st_2'], sg_2: ['st_3'], sg_none: [] },
    stores: PLACES_OF,
    segments: { seg_1: memberships(), seg_2: memberships() },
    fences: FENCES_OF,
    holdouts: { cmp_1: { salt: 'spring', share: 5_000 } },
    lists: Array.from({ length: int(random, 0, 10) }, () => {
      const list = pick(random, ['lst_1', 'lst_2']);
      // One is of nobody.
      const identifier = uuid(int(random, 1, people.length + 1));
      return { list, identifier, source: list === 'lst_1' ? 'till' : 'bank', removed: pick(random, [0, 0, 0, 1] as const) };
    }),
    scores: Array.from({ length: int(random, 0, 20) }, () => ({
      model: pick(random, ['la_1', 'la_2']),
      profile: int(random, 1, profiles),
      score: int(random, 0, 4) / 4,
    })),
    withheld: random() < 0.2 ? ['bank'] : [],
    currency: pick(random, ['USD', 'EUR']),
    perUsd: random() < 0.5 ? { EUR: 0.92, RUB: 91.4 } : {},
  };
}

const URLS = ['https://a.example/shop?x=1', 'https://a.example/%_', 'https://b.example/'];
/** Of resolution 9, in Moscow and around: some at the rims of what rules ask for. */
const CELLS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) =>
  cellToUInt64(latLngToCell(55.75 + n * n * 0.0022, 37.62 + n * n * 0.004 * (n % 2 === 0 ? 1 : -0.3), 9)),
);

export function scopeIn(world: World, level: RuleScope['level'] = 'person', confidence = 0): RuleScope {
  return {
    now: world.now,
    level,
    confidence,
    stores: null,
    storesOf: (group) => world.groups[group] ?? [],
    storesNear: (near) => storesNear(near, world),
    places: { fence: (_kind, id) => world.fences[id] ?? null, stores: () => STORES, rivals: () => [RIVAL] },
    holdoutOf: (campaign) => world.holdouts[campaign] ?? null,
    withheld: world.withheld,
    currency: world.currency,
    perUsd: world.perUsd,
  };
}

/** In which unit a fact is. Who is not surely of a household is one of their own. */
export function unitKey(fact: Fact, level: Level, confidence: number): string {
  if (level === 'household' && fact.household_sure < 100 * confidence) return `person ${fact.profile}`;
  return `${level} ${level === 'person' ? fact.profile : fact[level]}`;
}

/** How surely what an identifier names is of the device or the person, in percent. */
export function surenessIn({ facts }: World, identifier: string): Pick<Fact, 'device_sure' | 'person_sure'> {
  const own = facts.filter((fact) => fact.identifier === identifier);
  return {
    device_sure: Math.min(...own.map((fact) => fact.device_sure)),
    person_sure: Math.min(...own.map((fact) => fact.person_sure)),
  };
}

/** By the law of cosines. */
export function storesNear({ metres, stores, lat, lon }: Near, world: World): string[] {
  const middles =
    stores === undefined ? [{ lat: lat as number, lon: lon as number }] : stores.flatMap((id) => world.stores[id] ?? []);
  const radians = (degrees: number): number => (degrees * Math.PI) / 180;
  return Object.entries(world.stores).flatMap(([id, { lat: b, lon: l }]) => {
    const isNear = middles.some((middle) => {
      const [a, d] = [radians(middle.lat), radians(l - middle.lon)];
      const cosine = Math.sin(a) * Math.sin(radians(b)) + Math.cos(a) * Math.cos(radians(b)) * Math.cos(d);
      return 6_371_000 * Math.acos(Math.min(1, cosine)) <= metres;
    });
    return isNear ? [id] : [];
  });
}

/** Puts the world into the warehouse in place of what was there. */
export async function fillWarehouse(warehouse: Warehouse, world: World): Promise<void> {
  const facts = world.facts.map((fact) => ({
    ...fact,
    shard: fact.household % 64,
    at: new Date(fact.at).toISOString(),
    number: Number.isNaN(fact.number) ? 'nan' : fact.number,
    arrived: new Date(fact.at).toISOString(),
    revision: fact.id,
  }));
  const memberships = Object.entries(world.segments).flatMap(([segment, rows]) =>
    rows.map((row, n) => ({ ...row, segment, version: n + 1, at: new Date(0).toISOString() })),
  );
  const lookalike_scores = world.scores.map((row, n) => ({ ...row, version: n + 1 }));
  const list_entries = world.lists.map((row, n) => ({ ...row, entry: row.identifier, version: n + 1 }));
  const identities = [...new Map(world.facts.map((fact) => [fact.identifier, fact])).values()].map((fact) => ({
    ...{ identifier: fact.identifier, kind: 'ifa', anchor: fact.identifier, version: 1 },
    ...{ profile: fact.profile, device: fact.device, household: fact.household },
    ...{ ...surenessIn(world, fact.identifier), household_sure: fact.household_sure },
  }));
  for (const [table, rows] of Object.entries({ facts, memberships, lookalike_scores, list_entries, identities })) {
    await warehouse.command({ sql: `TRUNCATE TABLE ${table}` });
    await warehouse.insert(table, rows);
  }
}
