import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Choice, decide } from '../../bidder/core/decide.ts';
import { buildIndex } from '../../bidder/core/index.ts';
import { type Person, WITHHELD } from '../../bidder/core/person.ts';
import { decodeRequest } from '../../bidder/openrtb/decode.ts';
import { permissionOf } from '../../bidder/privacy.ts';
import { isHeldOut } from '../../proto/bucket.ts';
import { coverOf, type Fence } from '../../proto/fence.ts';
import type { LiveLineItem, Snapshot } from '../../proto/snapshot.ts';
import { creative, exchange, geofence, lineItem, NOON, snapshot, store, wireRequest } from './support/live.ts';
import { profileValue } from './support/person.ts';
import { type Asked, type AskedRequest, mayBid } from './support/reference.ts';

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
      stores: stores.map(({ fence: own, hours: opening }, index) => {
        const { lat, lon } = own as { lat: number; lon: number };
        return store(`st${index}`, { lat, lon, fence: own, cover: coverOf(own), hours: opening });
      }),
      geofences: geofences.map((own, index) => geofence(`gf${index}`, own)),
      lineItems: lineItems.map((given, index): LiveLineItem => {
        const { maxCpm, distance, caps, holdout, currency, domains, categories, start, budget, sizes, attributes, ...targeting } =
          given;
        return lineItem(`li${index}`, {
          ...{ bid: { maxCpm, distance }, caps, holdout, currency, domains, categories, start, budget },
          creatives: sizes.map((w) => creative(`cr${index}-${w}`, { w, attributes })),
          targeting: {
            ...targeting,
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
    segments: some(SEGMENTS),
    capped: some([0, 1, 2, 3]),
  }),
  free: fc.constantFrom(0, 2_500, 1e9, 1e9),
});

it('decides as a slow loop over all line items does', { timeout: 120_000 }, () => {
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

  function compare(
    live: Snapshot,
    index: ReturnType<typeof buildIndex>,
    call: typeof generatedCall extends fc.Arbitrary<infer Call> ? Call : never,
  ): void {
    const { id, imps, lmt, person, free, cur, bcat, badv, wseat, devicetype, os, type, accuracy, utcoffset } = call;
    const geo = { ...call.where?.(live), type, accuracy, ...(utcoffset === undefined ? {} : { utcoffset }) };
    const imp = imps.map(({ w, battr, bidfloor, bidfloorcur }, at) => ({
      id: `${at}`,
      banner: { w, h: 250, battr },
      bidfloor,
      bidfloorcur,
    }));
    const request: AskedRequest & { id: string } = { id, imp, device: { os, devicetype, geo }, cur, bcat, badv, wseat };
    const wire = wireRequest({ ...request, device: { ...request.device, lmt, ifa: '6f2b1c0e-7d2a-4d57-9b1a-0b6a5c4d3e2f' } });
    const read = decodeRequest(Buffer.from(JSON.stringify(wire)));
    if (typeof read === 'string') throw new Error(read);
    const { identifiers, preciseLocation } = permissionOf(read);
    const { state, anchor, segments } = person;
    const known = { state, identifier: anchor, anchor, memberships: [profileValue(segments, NOON)], caps: capsOf(person.capped) };
    const who: Person = identifiers ? known : WITHHELD;
    const decision = decide(index, {
      request: read,
      person: who,
      exchange: EXCHANGE,
      preciseLocation,
      childOnly: false,
      now: NOON,
      allowance: () => free,
    });
    check(live, { request, person: who, exchange: EXCHANGE, preciseLocation, now: NOON, free: () => free }, decision);
    const again = decide(index, {
      request: read,
      person: who,
      exchange: EXCHANGE,
      preciseLocation,
      childOnly: false,
      now: NOON,
      allowance: () => free,
    });
    expect(again).toEqual(decision);
    seen.cases++;
  }

  function check(live: Snapshot, asked: Asked, { bids, ghosts }: ReturnType<typeof decide>): void {
    const used = new Map<string, number>();
    let currency: string | null = null;
    for (const imp of asked.request.imp) {
      const may = mayBid(live, asked, imp, { used, currency });
      const highest = Math.max(...[...may.values()].map(({ price }) => price));
      const dearest = [...may].filter(([, { price }]) => price === highest);
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

function capsOf(lineItems: readonly number[]): Map<string, number> {
  return new Map(lineItems.map((index) => [`li${index}:${DAY}:${Math.floor(NOON / DAY)}`, 1]));
}
