import fc from 'fast-check';
import { expect, test } from 'vitest';
import { buildIndex, twinOf } from '../../bidder/core/index.ts';
import { NOBODY } from '../../bidder/core/person.ts';
import { type DebugBidDeps, debugBid } from '../../bidder/debug/debug-bid.ts';
import { createPersonOf } from '../../bidder/debug/person-of.ts';
import type { DebugBid, DebugBidAnswer } from '../../proto/debug.ts';
import { createConsents } from '../../proto/privacy/permission.ts';
import type { LiveLineItem, LiveList, Snapshot } from '../../proto/snapshot.ts';
import { creative, exchange, geofence, LAT, LON, lineItem, NOON, snapshot, store, wireRequest } from './support/live.ts';

/** What the debugger says of a line item is what becomes of it where it is the only one. */

/** Mostly absent: a line item that asks for everything at once never bids. */
const maybe = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | null> =>
  fc.oneof({ weight: 14, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value });
const some = <Value>(...values: Value[]) => fc.subarray(values, { minLength: 1 });

const targeting = fc.record({
  exchanges: maybe(some('x', 'y')),
  segments: maybe(fc.array(some(1, 2, 3), { minLength: 1, maxLength: 2 })),
  excludedSegments: fc.oneof({ weight: 4, arbitrary: fc.constant<number[]>([]) }, { weight: 1, arbitrary: some(1, 4) }),
  segmentRule: maybe(
    fc.array(
      fc.array(
        fc.record({ segment: fc.integer({ min: 1, max: 4 }), not: fc.boolean(), withinHours: fc.constantFrom(null, 2, 50) }),
        {
          maxLength: 3,
        },
      ),
      { minLength: 1, maxLength: 3 },
    ),
  ),
  deals: maybe(some('d1', 'd2')),
  stores: maybe(some('st_1', 'st_2')),
  geofences: maybe(some('gf_1')),
  promotedStores: fc.subarray(['st_2']),
  openStoresOnly: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  deviceTypes: maybe(some(1, 4)),
  os: maybe(some('android', 'ios')),
  osVersions: maybe(fc.constantFrom({ from: '10', below: null }, { from: null, below: '14.1' }, { from: '9', below: '10' })),
  makes: maybe(some('samsung', 'apple')),
  browsers: maybe(some('chrome', 'safari')),
  carriers: maybe(some('elisa', '244-05')),
  connectionTypes: maybe(some(2, 6)),
  languages: maybe(some('fi', 'en')),
  geo: maybe(
    fc.constantFrom(
      { include: [{ country: 'USA', region: null, city: null, zip: null }], exclude: [] },
      { include: null, exclude: [{ country: 'USA', region: 'NY', city: null, zip: null }] },
    ),
  ),
  inventory: maybe(some<'site' | 'app' | 'dooh'>('site', 'app', 'dooh')),
  lists: maybe(
    fc.constantFrom(
      { include: ['good'], exclude: [] },
      { include: null, exclude: ['bad'] },
      { include: ['good'], exclude: ['bad'] },
    ),
  ),
  content: maybe(
    fc.constantFrom(
      { include: ['IAB7'], exclude: [], languages: null },
      { include: null, exclude: ['IAB8'], languages: null },
      { include: null, exclude: [], languages: ['fi'] },
    ),
  ),
  positions: maybe(some(1, 3)),
  viewability: maybe(fc.constantFrom(0.2, 0.8)),
  interstitial: maybe(fc.boolean()),
  rewarded: maybe(fc.boolean()),
  userData: maybe(fc.constantFrom([['4:637']], [['dmp.example:lapsed']])),
  eids: maybe(some('id5-sync.com')),
  dayparts: maybe(fc.constantFrom<[number, number][]>([[0, 10_080]], [[2_160, 2_220]], [])),
});

const item = fc.record({
  targeting,
  maxCpm: fc.constantFrom(400_000, 1_000_000, 2_000_000),
  distance: maybe(fc.constant({ halvesEvery: 100, floorShare: 0.1 })),
  total: maybe(fc.constantFrom(500, 5_000)),
  size: fc.constantFrom([300, 250], [300, 250], [300, 250], [320, 50]),
  categories: fc.constantFrom(['IAB22-1'], ['IAB7-1']),
  end: fc.constantFrom(NOON, NOON + 1, NOON + 3_600_000, NOON + 3_600_000),
  childSafe: fc.boolean(),
});

const wire = fc.record({
  kind: fc.constantFrom('site', 'app'),
  domain: fc.constantFrom('www.good.example', 'bad.example', 'news.example'),
  cat: fc.constantFrom(['IAB7-3'], ['IAB8'], []),
  content: fc.constantFrom({ language: 'fi' }, undefined),
  device: fc.record({
    os: fc.constantFrom('Android', 'iOS', undefined),
    osv: fc.constantFrom('9.5', '13', '14.2.1', undefined),
    devicetype: fc.constantFrom(1, 4, undefined),
    make: fc.constantFrom('Samsung', 'Apple', undefined),
    ua: fc.constantFrom('Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36', undefined),
    carrier: fc.constantFrom('Elisa', undefined),
    connectiontype: fc.constantFrom(2, 6, undefined),
    language: fc.constantFrom('fi', 'en', undefined),
    ifa: fc.constantFrom('6f2b1c0e-7d2a-4d57-9b1a-0b6a5c4d3e2f', undefined),
    lmt: fc.constantFrom(0, 0, 0, 1),
    geo: fc.constantFrom(
      { country: 'USA', region: 'NY', lat: LAT, lon: LON, type: 1, accuracy: 10 },
      { country: 'USA', region: 'CA', lat: LAT + 0.1, lon: LON, type: 1 },
      { country: 'CAN', lat: LAT, lon: LON, type: 2 },
      {},
    ),
  }),
  user: fc.constantFrom(
    undefined,
    { data: [{ name: 'dmp.example', segment: [{ id: 'lapsed' }] }], eids: [{ source: 'id5-sync.com', uids: [{ id: 'a' }] }] },
    { data: [{ name: 'x', segment: [{ id: '637' }], ext: { segtax: 4 } }] },
  ),
  imp: fc.array(
    fc.record({
      bidfloor: fc.constantFrom(0, 0.5, 1.5),
      pos: fc.constantFrom(1, 3, undefined),
      instl: fc.constantFrom(0, 1),
      rwdd: fc.constantFrom(0, 1),
      metric: fc.constantFrom(undefined, [{ type: 'viewability', value: 0.5 }]),
      deals: fc.constantFrom<string[]>([], ['d1'], ['d2', 'd3']),
      isPrivate: fc.boolean(),
    }),
    { minLength: 1, maxLength: 2 },
  ),
  bcat: fc.constantFrom([], ['IAB7'], []),
  coppa: fc.constantFrom(0, 0, 0, 1),
});

const profile = fc.option(
  fc
    .array(fc.record({ segment: fc.integer({ min: 1, max: 4 }), hours: fc.constantFrom(null, 1, 20, 100) }), { maxLength: 3 })
    .map((segments) => ({ segments })),
);

const LISTS: LiveList[] = [
  { id: 'good', kind: 'domain', entries: 'good.example' },
  { id: 'bad', kind: 'domain', entries: 'bad.example\nworse.example' },
];
const fixed: Partial<Snapshot> = {
  exchanges: [exchange('x')],
  stores: [store('st_1'), store('st_2', { lat: LAT + 0.002, hours: [[0, 60]] })],
  geofences: [geofence('gf_1', { type: 'circle', lat: LAT, lon: LON, radius: 400 })],
  lists: LISTS,
};

function liveItem(given: typeof item extends fc.Arbitrary<infer Value> ? Value : never, id: string): LiveLineItem {
  const [w, h] = given.size as [number, number];
  const { maxCpm, distance, total, categories, end, childSafe } = given;
  const budget = { campaign: null, total, daily: null };
  return lineItem(id, {
    targeting: given.targeting,
    bid: { maxCpm, distance },
    budget,
    categories,
    end,
    childSafe,
    creatives: [creative(`cr_${id}`, { w, h })],
  });
}

function requestOf({
  kind,
  domain,
  cat,
  content,
  device,
  user,
  imp,
  bcat,
  coppa,
}: typeof wire extends fc.Arbitrary<infer Value> ? Value : never) {
  return wireRequest({
    [kind === 'app' ? 'site' : 'app']: undefined,
    [kind]: { domain, bundle: 'com.example', cat, content },
    device,
    user,
    bcat,
    regs: { coppa },
    imp: imp.map(({ bidfloor, pos, instl, rwdd, metric, deals, isPrivate }, at) => ({
      id: String(at + 1),
      banner: { w: 300, h: 250, pos },
      bidfloor,
      instl,
      rwdd,
      metric,
      ...(deals.length === 0
        ? {}
        : { pmp: { private_auction: isPrivate ? 1 : 0, deals: deals.map((id) => ({ id, bidfloor: 0.3 })) } }),
    })),
  });
}

const SPENT = 600;
const deps: DebugBidDeps = {
  pepper: 'pepper',
  consents: createConsents(0),
  encode: { publicUrl: 'https://bidder.example', reservationSeconds: 60 },
  budgetsLeft: async (items) => new Map(items.map(({ id, budget }) => [id, Math.max(0, (budget.total ?? 0) - SPENT)])),
  personOf: createPersonOf({ read: () => NOBODY }, 'pepper'),
};

function ask(lineItems: readonly LiveLineItem[], request: object, given: DebugBid['profile']): Promise<DebugBidAnswer> {
  const index = twinOf(buildIndex(snapshot({ ...fixed, lineItems })));
  const question: DebugBid = {
    kind: 'bid',
    exchange: 'x',
    request,
    now: NOON,
    profile: given,
    readsProfile: false,
    advertiser: null,
    lineItems: null,
    reason: null,
    from: 0,
    limit: 500,
  };
  return debugBid(index, question, deps) as Promise<DebugBidAnswer>;
}

/** What does not depend on how fast the machine is. */
const bytesOf = (told: DebugBidAnswer): string => JSON.stringify(told, (name, value) => (name === 'timings' ? undefined : value));

const FENCES: ReadonlySet<string> = new Set(['outside_fence', 'untrusted_location', 'privacy']);

test('a line item bids alone where the debugger finds no reason against it, and does not where it finds one; asked again it is the same to the byte', async () => {
  let bids = 0;
  const property = fc.asyncProperty(
    fc.array(item, { minLength: 3, maxLength: 3 }),
    wire,
    profile,
    async (items, shape, given) => {
      const request = requestOf(shape);
      const lineItems = items.map((one, at) => liveItem(one, `li_${at}`));
      const together = await ask(lineItems, request, given);
      // Of an index that is compiled anew.
      expect(bytesOf(await ask(lineItems, request, given))).toBe(bytesOf(together));
      const outcomes = together.lineItems.map(({ outcome }) => outcome);
      expect(outcomes.length).toBe(lineItems.length);
      expect(outcomes.some((outcome) => outcome === 'bid')).toBe(together.outcome === 'bid');
      if (together.outcome !== 'bid') expect(outcomes).not.toContain('outbid');
      for (const live of lineItems) {
        const alone = await ask([live], request, given);
        const [told] = alone.lineItems;
        const isOpen = told?.outcome === 'bid';
        expect({ id: live.id, isOpen, reasons: told?.reasons, reason: alone.reason, alone: alone.outcome }).toMatchObject({
          isOpen: alone.outcome === 'bid',
        });
        expect(alone.lineItems.map(({ outcome }) => outcome)).not.toContain('outbid');
        if (alone.outcome === 'bid') bids++;
        // Nothing bids that has a reason at every place, and nothing is kept back without one.
        else expect(told?.reasons.length).toBeGreaterThan(0);
        // What an auction would have counted is among the reasons that are told; of fences it counts why nobody elsewhere bids.
        if (alone.reason !== null && !FENCES.has(alone.reason) && alone.reasons.length === 0)
          expect(told?.reasons.map(({ code }) => code)).toContain(alone.reason);
      }
    },
  );
  await fc.assert(property, { numRuns: 120 });
  expect(bids).toBeGreaterThan(12);
}, 120_000);
