import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Choice, choiceOf } from '../../bidder/core/choice.ts';
import { decide, roundOf, screenAll } from '../../bidder/core/decide.ts';
import { explain } from '../../bidder/core/explain.ts';
import { buildIndex } from '../../bidder/core/index.ts';
import { type Person, WITHHELD } from '../../bidder/core/person.ts';
import type { Question } from '../../bidder/core/question.ts';
import { decodeRequest } from '../../bidder/openrtb/decode.ts';
import { permissionOf } from '../../bidder/privacy.ts';
import { isHeldOut } from '../../proto/bucket.ts';
import { coverOf, type Fence } from '../../proto/fence.ts';
import { encodeProfile, hourOf } from '../../proto/profile.ts';
import type { GeoName, LiveLineItem, LiveList, Snapshot, Targeting } from '../../proto/snapshot.ts';
import { creative, exchange, geofence, lineItem, NOON, snapshot, store, wireRequest } from './support/live.ts';
import { type Asked, type AskedImp, type AskedRequest, type Memberships, mayBid } from './support/reference.ts';

/** Where indexes of places err: a town, the antimeridian, near both poles, and around a pentagon of the grid. */
const PLACES = [
  { lat: 52.52191, lon: 13.41323 },
  { lat: -16.8, lon: 179.9995 },
  { lat: 89.9, lon: 40 },
  { lat: -89.95, lon: -120 },
  { lat: 64.70000012793489, lon: 10.53619907546767 },
] as const;
const METRES_PER_DEGREE = 111_195;
const SEGMENTS = [1, 2, 3, 4] as const;
const EXCHANGE = exchange('x', { seat: 'us' });
const DAY = 86_400_000;
const SNAPSHOTS = 350;
const REQUESTS = 30;

/** So many metres from a place; beyond the antimeridian it goes on from the other side. */
function near({ lat, lon }: { lat: number; lon: number }, east: number, north: number): { lat: number; lon: number } {
  const along = east / (METRES_PER_DEGREE * Math.max(1e-6, Math.cos((lat * Math.PI) / 180)));
  return { lat: Math.max(-90, Math.min(90, lat + north / METRES_PER_DEGREE)), lon: ((lon + along + 540) % 360) - 180 };
}

const offset = fc.integer({ min: -500, max: 500 });
const anyPlace = fc.tuple(fc.constantFrom(...PLACES), offset, offset).map(([place, east, north]) => near(place, east, north));
const circle = fc
  .tuple(anyPlace, fc.constantFrom(20, 75, 300, 300, 700))
  .map(([place, radius]): Fence => ({ type: 'circle', ...place, radius }));
/** In the town: plane rings mean nothing at the poles and are refused across the antimeridian. */
const polygon = fc.tuple(offset, offset, fc.integer({ min: 30, max: 600 })).map(([east, north, reach]): Fence => {
  const corners = [0, 1, 2, 3, 4].map((corner) => {
    const angle = (2 * Math.PI * corner) / 5;
    const { lat, lon } = near(PLACES[0], east + reach * Math.cos(angle), north + reach * Math.sin(angle));
    return [lon, lat] as [number, number];
  });
  return { type: 'polygon', rings: [[...corners, corners[0] as [number, number]]] };
});
const fence = fc.oneof({ weight: 4, arbitrary: circle }, { weight: 1, arbitrary: polygon });
/** Mostly absent: a line item that asks for everything at once never bids. */
const nullable = <Value>(arbitrary: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
const seldom = <Value>(usual: Value, arbitrary: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary });
const some = <Value>(values: readonly Value[]) => fc.subarray([...values]);
const hours = fc.constantFrom(null, [[0, 10_080]], [[2_160, 2_220]], []) as fc.Arbitrary<[number, number][] | null>;

const GEO: readonly GeoName[] = [
  { country: 'KAZ', region: null, city: null, zip: null },
  { country: 'KAZ', region: 'ALA', city: null, zip: null },
  { country: 'KAZ', region: null, city: 'almaty', zip: null },
  { country: 'KAZ', region: 'ALA', city: 'almaty', zip: '10178' },
  { country: 'ARG', region: null, city: null, zip: '10178' },
];
const LISTS: readonly LiveList[] = [
  { id: 'domains', kind: 'domain', entries: 'news.example\ndeep.blog.example' },
  { id: 'bundles', kind: 'bundle', entries: 'com.example\nCOM.example.other'.toLowerCase() },
  { id: 'sites', kind: 'site', entries: 'one' },
  { id: 'apps', kind: 'app', entries: 'one\ntwo' },
  { id: 'publishers', kind: 'publisher', entries: 'pub\n' },
  { id: 'empty', kind: 'domain', entries: '' },
];
const literal = fc.record({
  segment: fc.constantFrom(...SEGMENTS),
  not: fc.boolean(),
  withinHours: fc.constantFrom(null, 24, 48),
});
const lists = some(LISTS.map(({ id }) => id));
const flag = fc.boolean();
/** One part of the targeting at a time: two of these at most. */
const narrowing: fc.Arbitrary<Partial<Targeting>> = fc.oneof(
  fc.record({ osVersions: fc.record({ from: fc.constantFrom(null, '14', '9.1'), below: fc.constantFrom(null, '14.2', '15') }) }),
  fc.record({ makes: some(['samsung', 'apple']) }),
  fc.record({ models: some(['a54', 'iphone']) }),
  fc.record({ browsers: some(['chrome', 'firefox']) }),
  fc.record({ carriers: some(['telco', '250-01']) }),
  fc.record({ connectionTypes: some([2, 6]) }),
  fc.record({ languages: some(['de', 'fil']) }),
  fc.record({ geo: fc.record({ include: fc.option(some(GEO)), exclude: seldom([], some(GEO)) }) }),
  fc.record({ inventory: some(['site', 'app', 'dooh'] as const) }),
  fc.record({ lists: fc.record({ include: fc.option(lists), exclude: seldom([], lists) }) }),
  fc.record({
    content: fc.record({
      include: fc.option(some(['IAB1', 'IAB2-1'])),
      exclude: seldom([], some(['IAB2', 'IAB1-1'])),
      languages: fc.constantFrom(null, null, ['de'], []),
    }),
  }),
  fc.record({ positions: some([1, 3]) }),
  fc.record({ viewability: fc.constantFrom(0, 0.5) }),
  fc.record({ interstitial: flag }),
  fc.record({ rewarded: flag }),
  fc.record({ userData: fc.array(some(['4:1', '4:2', 'acme:2']), { maxLength: 2 }) }),
  fc.record({ eids: some(['uid.example', 'other.example']) }),
  fc.record({ segmentRule: fc.array(fc.array(literal, { maxLength: 3 }), { maxLength: 2 }) }),
  fc.record({ deals: some(['d1', 'd2']) }),
  fc.record({ supply: fc.record({ completeOnly: flag, maxHops: fc.constant(null), sellers: fc.constant(null) }) }),
);
const narrowed = fc
  .array(narrowing, { maxLength: 2 })
  .map((parts): Partial<Targeting> => Object.assign({}, ...parts) as Partial<Targeting>);

/** No list of ids is ever longer than the things, and often it is empty or null. */
const generatedLineItem = fc.record({
  maxCpm: fc.constantFrom(0, 1_000_000, 1_000_000, 2_000_000, 2_000_000, 2_500_000),
  distance: fc.constantFrom(null, { halvesEvery: 200, floorShare: 0.3 }),
  caps: seldom<{ count: number; windowMs: number }[]>([], fc.constant([{ count: 1, windowMs: DAY }])),
  holdout: nullable(fc.constant({ share: 4_000, salt: 'salt' })),
  currency: fc.constantFrom('USD', 'USD', 'USD', 'EUR'),
  domains: fc.constantFrom(['shop.example'], ['deep.shop.example'], ['other.example']),
  categories: fc.constantFrom([], ['IAB22-1'], ['IAB2']),
  start: fc.constantFrom(0, 0, 0, NOON + 1),
  budget: fc.constantFrom({ campaign: null, total: null, daily: null }, { campaign: 1_000, total: null, daily: null }),
  sizes: fc.subarray([300, 320, 728], { minLength: 2 }),
  attributes: seldom([], some([1, 2])),
  exchanges: nullable(fc.constantFrom(['x'], ['x', 'y'], ['y'])),
  segments: nullable(fc.array(fc.subarray([...SEGMENTS], { minLength: 2 }), { maxLength: 2 })),
  excludedSegments: seldom([], some(SEGMENTS)),
  stores: nullable(some([0, 1])),
  geofences: fc.option(some([0, 1, 2]), { nil: null, freq: 1 }),
  promotedStores: some([0, 1]),
  openStoresOnly: seldom(false, fc.constant(true)),
  deviceTypes: nullable(some([4, 5])),
  os: nullable(some(['android', 'ios'])),
  dayparts: nullable(hours),
  timeZone: fc.constantFrom('UTC', 'Asia/Tokyo'),
  childSafe: flag,
  more: narrowed,
});

const generatedSnapshot = fc
  .record({
    stores: fc.array(fc.record({ fence: circle, hours }), { minLength: 2, maxLength: 2 }),
    geofences: fc.array(fence, { minLength: 3, maxLength: 3 }),
    lineItems: fc.array(generatedLineItem, { maxLength: 12, size: 'max' }),
    // Else the dearest is mostly one that may bid anywhere, and nothing is learnt of the fences.
    onlyFenced: fc.boolean(),
  })
  .map(({ stores, geofences, lineItems, onlyFenced }): Snapshot => {
    const named = (prefix: string) => (index: number) => `${prefix}${index}`;
    return snapshot({
      exchanges: [EXCHANGE],
      lists: LISTS,
      stores: stores.map(({ fence: own, hours: opening }, index) => {
        const { lat, lon } = own as { lat: number; lon: number };
        return store(`st${index}`, { lat, lon, fence: own, cover: coverOf(own), hours: opening });
      }),
      geofences: geofences.map((own, index) => geofence(`gf${index}`, own)),
      lineItems: lineItems.map((given, index): LiveLineItem => {
        const {
          maxCpm,
          distance,
          caps,
          holdout,
          currency,
          domains,
          categories,
          start,
          budget,
          sizes,
          attributes,
          childSafe,
          more,
          ...targeting
        } = given;
        return lineItem(`li${index}`, {
          ...{ bid: { maxCpm, distance }, caps, holdout, currency, domains, categories, start, budget, childSafe },
          creatives: sizes.map((w) => creative(`cr${index}-${w}`, { w, attributes })),
          targeting: {
            ...targeting,
            ...more,
            stores: targeting.stores?.map(named('st')) ?? null,
            geofences: (targeting.geofences ?? (onlyFenced ? [0, 1, 2] : null))?.map(named('gf')) ?? null,
            promotedStores: targeting.promotedStores.map(named('st')),
          },
        });
      }),
    });
  });

const generatedImp = fc.record({
  w: fc.constantFrom(300, 320, 728),
  battr: seldom([], some([1, 2])),
  bidfloor: fc.constantFrom(0, 0, 0.5, 1, 2),
  bidfloorcur: fc.constantFrom('USD', 'USD', 'EUR'),
  pos: fc.constantFrom(1, 3),
  instl: fc.constantFrom(0 as const, 1 as const),
  rwdd: fc.constantFrom(0 as const, 1 as const),
  viewability: fc.constantFrom(null, 0.49, 0.5),
  deals: seldom<readonly { id: string; bidfloor: number }[]>(
    [],
    fc.uniqueArray(fc.record({ id: fc.constantFrom('d1', 'd2', 'd3'), bidfloor: fc.constantFrom(0, 1, 2) }), {
      minLength: 1,
      maxLength: 2,
      selector: ({ id }) => id,
    }),
  ),
});

const content = fc.record({ language: fc.constantFrom('de', 'en') });
const inventory = fc.oneof(
  fc.record({
    site: fc.record({
      id: fc.constantFrom('one', 'two'),
      domain: fc.constantFrom('news.example', 'a.news.example', 'blog.example', 'badnews.example', 'x.deep.blog.example'),
      cat: some(['IAB1', 'IAB1-1', 'IAB2-1']),
      content,
      publisher: fc.record({ id: fc.constantFrom('pub', 'Pub') }),
    }),
  }),
  fc.record({
    app: fc.record({
      id: fc.constantFrom('one', 'three'),
      bundle: fc.constantFrom('com.example', 'Com.Example.Other', 'com.example.more'),
      cat: some(['IAB1', 'IAB2-1']),
      content,
      publisher: fc.record({ id: fc.constantFrom('pub', '') }),
    }),
  }),
);
const surroundings = fc.record({
  inventory,
  device: fc.record({
    osv: fc.constantFrom('14', '14.1', '14.10.2', '9', ''),
    make: fc.constantFrom('Samsung', 'Apple'),
    model: fc.constantFrom('A54', 'iPhone'),
    ua: fc.constantFrom('Mozilla/5.0 Chrome/126.0.0.0 Safari/537.36', 'Mozilla/5.0 Gecko/20100101 Firefox/127.0', 'x'),
    carrier: fc.constantFrom('Telco', '25001'),
    connectiontype: fc.constantFrom(2, 6),
    language: fc.constantFrom('de', 'fil', 'fi'),
  }),
  geo: fc.record({
    country: fc.constantFrom('KAZ', 'ARG'),
    region: fc.constantFrom('ALA', 'AST', ''),
    city: fc.constantFrom('Almaty', ''),
    zip: fc.constantFrom('10178', '10-178 ', ''),
  }),
  data: fc.array(
    fc.record({
      name: fc.constantFrom('Acme', 'other'),
      ext: fc.record({ segtax: fc.constantFrom(4, 5) }),
      segment: some(['1', '2']).map((ids) => ids.map((id) => ({ id }))),
    }),
    { maxLength: 2 },
  ),
  eids: some(['uid.example', 'third.example']),
  complete: fc.constantFrom(0 as const, 1 as const),
  childOnly: fc.constantFrom(false, false, false, false, false, false, false, true),
});

/** Where the device is: anywhere, or at a share of a fence's radius from its centre, to hit its rim. */
const where = fc.oneof(
  anyPlace.map((place) => () => place),
  fc
    .tuple(fc.nat(4), fc.constantFrom(0, 0.5, 0.9999, 1, 1.0001, 1.5), fc.double({ min: 0, max: 2 * Math.PI, noNaN: true }))
    .map(([index, share, angle]) => (live: Snapshot) => {
      const own = ([...live.stores, ...live.geofences][index] as { fence: Fence }).fence;
      if (own.type === 'polygon') return { lat: own.rings[0]?.[0]?.[1] ?? 0, lon: own.rings[0]?.[0]?.[0] ?? 0 };
      return near(own, own.radius * share * Math.cos(angle), own.radius * share * Math.sin(angle));
    }),
);

const generatedCall = fc.record({
  id: fc.string({ unit: fc.constantFrom('a', 'b', '1', '2'), minLength: 1, maxLength: 8 }),
  imps: fc.array(generatedImp, { minLength: 1, maxLength: 3 }),
  where: fc.option(where, { nil: undefined, freq: 8 }),
  type: seldom(1, fc.constant(2)),
  accuracy: seldom(5, fc.constantFrom(60, 200)),
  utcoffset: fc.constantFrom(undefined, 0, 180),
  devicetype: fc.constantFrom(4, 5),
  os: fc.constantFrom('Android', 'iOS'),
  lmt: fc.constantFrom(0, 0, 0, 1),
  cur: fc.constantFrom(['USD'], ['USD', 'EUR']),
  bcat: fc.constantFrom([], [], ['IAB22'], ['IAB2-1']),
  badv: fc.constantFrom([], [], ['shop.example'], ['hop.example'], []),
  wseat: seldom<string[]>([], fc.constantFrom(['us'], ['them'])),
  person: fc.record({
    state: fc.constantFrom('known', 'known', 'known', 'unknown', 'nobody', 'unread') as fc.Arbitrary<Person['state']>,
    anchor: fc.constantFrom('p1', 'p2', 'p3', 'p4'),
    /** In one or two values, as where identifiers are merged; hours since it was entered, and until it ends. */
    values: fc.array(
      fc.uniqueArray(
        fc.record({
          segment: fc.constantFrom(...SEGMENTS),
          age: fc.constantFrom(null, 1, 24, 30, 100),
          left: fc.constantFrom(0, 1, 10),
        }),
        { maxLength: 4, selector: ({ segment }) => segment },
      ),
      { maxLength: 2 },
    ),
    capped: some([0, 1, 2, 3]),
  }),
  around: surroundings,
  free: fc.constantFrom(0, 2_500, 1e9, 1e9),
});

it('decides as a slow loop over all line items does', { timeout: 300_000 }, () => {
  const seen = { cases: 0, bids: 0, ghosts: 0, fenced: 0 };
  const calls = fc.array(generatedCall, { minLength: REQUESTS, maxLength: REQUESTS });
  fc.assert(
    fc.property(generatedSnapshot, calls, (live, asked) => {
      const index = buildIndex(live);
      for (const call of asked) compare(live, index, call);
    }),
    { numRuns: SNAPSHOTS, seed: 4 },
  );
  if (process.env['WALKIN_TEST_LOG'] !== undefined) console.info(seen);
  // So that the test does not agree on nothing.
  expect(seen.cases).toBeGreaterThanOrEqual(10_000);
  expect(seen.bids).toBeGreaterThan(1_000);
  expect(seen.ghosts).toBeGreaterThan(100);
  expect(seen.fenced).toBeGreaterThan(200);

  function compare(live: Snapshot, index: ReturnType<typeof buildIndex>, call: Call): void {
    const { id, imps, lmt, person, free, cur, bcat, badv, wseat, devicetype, os, type, accuracy, utcoffset, around } = call;
    const where = { ...call.where?.(live), type, accuracy, ...(utcoffset === undefined ? {} : { utcoffset }) };
    const request: AskedRequest & { id: string } = {
      ...{ id, cur, bcat, badv, wseat },
      imp: imps.map(askedImp),
      ...around.inventory,
      device: { ...around.device, os, devicetype, geo: { ...around.geo, ...where } },
      user: { data: around.data, eids: around.eids.map((source) => ({ source, uids: [{ id: 'u' }] })) },
      source: { schain: { complete: around.complete, nodes: [{ asi: 'ssp.example', sid: '1', hp: 1 }] } },
    };
    const ifa = '6f2b1c0e-7d2a-4d57-9b1a-0b6a5c4d3e2f';
    const wire = wireRequest({ app: undefined, ...request, device: { ...request.device, lmt, ifa } });
    const read = decodeRequest(Buffer.from(JSON.stringify(wire)));
    if (typeof read === 'string') throw new Error(read);
    const { identifiers, preciseLocation } = permissionOf(read);
    const { state, anchor } = person;
    const values = state === 'known' ? person.values : [];
    const memberships = values.map((value) => profileOf(value));
    const who: Person = identifiers ? { state, anchor, memberships, identifier: anchor, caps: capsOf(person.capped) } : WITHHELD;
    const question: Question = {
      ...{ request: read, person: who, exchange: EXCHANGE, preciseLocation, now: NOON },
      childOnly: around.childOnly,
      allowance: () => free,
    };
    const decision = decide(index, question);
    const asked: Asked = {
      ...{ request, person: who, exchange: EXCHANGE, preciseLocation, now: NOON, free: () => free },
      childOnly: around.childOnly,
      memberships: membershipsOf(values),
    };
    check(live, asked, decision);
    if (!isDeepStrictEqual(decide(index, question), decision)) throw new Error('another decision on the same question');
    if (seen.cases % 4 === 0) checkExplained(live, index, question, decision);
    seen.cases++;
  }

  /** A line item that the debugger says may be offered, and that fits, was bid, or lost to one that was. */
  function checkExplained(
    live: Snapshot,
    index: ReturnType<typeof buildIndex>,
    question: Question,
    { bids, ghosts, reason }: ReturnType<typeof decide>,
  ): void {
    const won = new Set([...bids, ...ghosts].map(({ lineItem: { id } }) => id));
    const shut = screenAll(index, question);
    for (let position = 0; position < live.lineItems.length; position++) {
      const { failures, price } = explain(index, question, position);
      const { id } = index.lineItemAt(position);
      if (won.has(id) && failures.length > 0) throw new Error(`${id} bids, and ${JSON.stringify(failures)}`);
      if (failures.length > 0 || won.size > 0 || shut !== null) continue;
      const imps = fitting(index, question, position);
      if (imps.length > 0) throw new Error(`${id} could be bid for ${imps} at ${price}, but nobody bids: ${reason}`);
    }
  }

  /** Imps for which an offer could be bid if it were the only one. */
  function fitting(index: ReturnType<typeof buildIndex>, question: Question, position: number): string[] {
    const round = roundOf(index, question);
    const offer = index.match.offerOf(position);
    if (offer === null) return [];
    return question.request.imps.flatMap((imp, at) =>
      (round.ways[at] ?? []).some((way) => typeof choiceOf(round, imp, way, offer) !== 'string') ? [imp.id] : [],
    );
  }

  function check(live: Snapshot, asked: Asked, { bids, ghosts }: ReturnType<typeof decide>): void {
    const used = new Map<string, number>();
    let currency: string | null = null;
    for (const imp of asked.request.imp) {
      const dearest = dearestOf(live, asked, imp, { used, currency });
      const bid: Choice | undefined = bids.find((choice) => choice.imp.id === imp.id);
      const ghost: Choice | undefined = ghosts.find((choice) => choice.imp.id === imp.id);
      const chosen = bid ?? ghost;
      const picked = chosen === undefined ? [] : [[chosen.lineItem.id, { price: chosen.price, store: chosen.store?.id ?? null }]];
      if (dearest.length === 0 || picked.length === 0) expect(picked).toEqual(dearest);
      else expect(dearest).toContainEqual(picked[0]);
      if (chosen === undefined) continue;
      const own = live.lineItems.find((candidate) => candidate.id === chosen.lineItem.id) as LiveLineItem;
      const heldOut = own.holdout !== null && isHeldOut(asked.person.anchor, own.holdout.salt, own.holdout.share);
      expect([bid !== undefined, ghost !== undefined]).toEqual([!heldOut, heldOut]);
      used.set(own.id, (used.get(own.id) ?? 0) + 1);
      if (bid !== undefined) currency = own.currency;
      seen.bids += bid === undefined ? 0 : 1;
      seen.ghosts += ghost === undefined ? 0 : 1;
      seen.fenced += own.targeting.stores === null && own.targeting.geofences === null ? 0 : 1;
    }
  }
});

/** Of the first way to buy the imp on which anybody may bid: deals come before the open market. */
function dearestOf(live: Snapshot, asked: Asked, imp: AskedImp, taken: Parameters<typeof mayBid>[4]) {
  for (const deal of [...imp.pmp.deals.map(({ id }) => id), null]) {
    const may = [...mayBid(live, asked, imp, deal, taken)];
    const highest = Math.max(...may.map(([, { price }]) => price));
    if (may.length > 0) return may.filter(([, { price }]) => price === highest);
  }
  return [];
}

type Call = typeof generatedCall extends fc.Arbitrary<infer Value> ? Value : never;

function askedImp({ w, battr, pos, viewability, deals, ...imp }: Call['imps'][number], at: number): AskedImp {
  return {
    ...{ id: `${at}`, instl: imp.instl, rwdd: imp.rwdd, bidfloor: imp.bidfloor, bidfloorcur: imp.bidfloorcur },
    banner: { w, h: 250, battr, pos },
    metric: viewability === null ? [] : [{ type: 'viewability', value: viewability }],
    pmp: { deals: deals.map((deal) => ({ ...deal, bidfloorcur: 'USD' })) },
  };
}

type Value = Call['person']['values'][number];

function profileOf(value: Value): Buffer {
  const hour = hourOf(NOON);
  const memberships = [...value]
    .sort((a, b) => a.segment - b.segment)
    .map(({ segment, age, left }) => ({ segment, since: age === null ? null : hour - age, until: hour + left }));
  return encodeProfile({ profile: 1, anchor: '00000000-0000-8000-8000-000000000001', consent: 0, hour, memberships });
}

/** What has not ended; of several the youngest. */
function membershipsOf(values: readonly Value[]): Memberships {
  const ages = new Map<number, number | null>();
  for (const { segment, age, left } of values.flat()) {
    if (left === 0) continue;
    const known = ages.get(segment);
    ages.set(segment, age === null ? (known ?? null) : Math.min(age, known ?? age));
  }
  return ages;
}

function capsOf(lineItems: readonly number[]): Map<string, number> {
  return new Map(lineItems.map((index) => [`li${index}:${DAY}:${Math.floor(NOON / DAY)}`, 1]));
}
