// Times the bidder's core in process. Argument: a MatchTask; its last line is a MatchTiming. Started by `npm run bench match`.
import { setFlagsFromString } from 'node:v8';
import type { Index } from '../../bidder/core/index.ts';
import { type Person, WITHHELD } from '../../bidder/core/person.ts';
import type { Question } from '../../bidder/core/question.ts';
import type { BidRequest } from '../../bidder/openrtb/request.ts';
import { readCorpus } from '../../load-tests/bench/corpus.ts';
import { eachLineItem } from '../../load-tests/bench/line-items.ts';
import type { MatchTask, MatchTiming } from '../../load-tests/bench/match.ts';
import { createHistogram } from '../../load-tests/bench/open-loop.ts';
import { capsOf, keyOf, profileOf } from '../../load-tests/bench/people.ts';
import { drawTraffic } from '../../load-tests/bench/requests.ts';
import { drawSurroundings, worldSize } from '../../load-tests/bench/world.ts';
import { encodeProfile } from '../../proto/profile.ts';
import type { LiveExchange, LiveLineItem, Snapshot } from '../../proto/snapshot.ts';

const PEPPER = 'pepper-of-the-benchmarks';
const NOW = Date.UTC(2026, 5, 2, 12);
const QUESTIONS = 4_096;
const WARM_UP = 20_000;
/** However slow they are. */
const LEAST_DECISIONS = 200;

const { lineItems, seconds, seed, shared, modules, extension } = JSON.parse(process.argv[2] as string) as MatchTask;
// Not by import statements: the loader of this file would compile another code than the one that runs in production.
const { openIndex } = (await import(`${modules}bidder/core/index${extension}`)) as typeof import('../../bidder/core/index.ts');
const { compileIndex } = (await import(
  `${modules}bidder/core/compile${extension}`
)) as typeof import('../../bidder/core/compile.ts');
const { decide } = (await import(`${modules}bidder/core/decide${extension}`)) as typeof import('../../bidder/core/decide.ts');
const { decodeRequest } = (await import(
  `${modules}bidder/openrtb/decode${extension}`
)) as typeof import('../../bidder/openrtb/decode.ts');
const { permissionOf } = (await import(`${modules}bidder/privacy${extension}`)) as typeof import('../../bidder/privacy.ts');

console.log(JSON.stringify(time()));

function time(): MatchTiming {
  const { profiles } = worldSize(1);
  const traffic = drawTraffic({ seed, fences: lineItems, profiles, corpus: readCorpus(shared) });
  const asked = Array.from({ length: QUESTIONS }, (_, call) => callOf(call)).flatMap((call) => call ?? []);
  const before = heldBytes();
  let around: Omit<Snapshot, 'lineItems'> | null = drawSurroundings(seed, { lineItems, fences: lineItems });
  const drawn = (fencedOnly: boolean) => ({ ...(around as Omit<Snapshot, 'lineItems'>), lineItems: lineItemsOf(fencedOnly) });
  const since = performance.now();
  const buffer = compileIndex(drawn(false));
  const opening = performance.now();
  const index = openIndex(buffer);
  const opened = performance.now();
  const fenced = timeDecisions(openIndex(compileIndex(drawn(true))), asked, seconds / 2);
  around = null;
  const mb = (heldBytes() - before) / 2 ** 20;
  const { decisions, meanUs, p50Us, p99Us, bidRate } = timeDecisions(index, asked, seconds);
  const tenths = (value: number): number => Math.round(value * 10) / 10;
  return {
    decisions,
    meanUs: tenths(meanUs),
    p99Us: tenths(p99Us),
    p50Us: tenths(p50Us),
    mb: Math.round(mb),
    bidRate,
    buildSeconds: tenths((opening - since) / 1_000),
    openMs: tenths(opened - opening),
    fencedUs: tenths(fenced.meanUs),
    fencedP50Us: tenths(fenced.p50Us),
    truncated: index.stages.truncated / index.stages.decisions,
    reached: tenths(index.stages.reached / index.stages.decisions),
    passed: tenths(index.stages.passed / index.stages.decisions),
    tried: tenths(index.stages.tried / index.stages.decisions),
  };

  /** Drawn as they are compiled. */
  function* lineItemsOf(fencedOnly: boolean): Generator<LiveLineItem> {
    const { length } = (around as Omit<Snapshot, 'lineItems'>).stores;
    for (const lineItem of eachLineItem(seed, lineItems, lineItems, length))
      if (!fencedOnly || lineItem.targeting.geofences !== null) yield lineItem;
  }

  /** A call as it comes off the wire and out of Redis; null where it would not come to a decision. */
  function callOf(call: number): Call | null {
    const { message, templates, templateOf, personOf } = traffic;
    const body = Buffer.from(message(call).subarray(templates[templateOf(call)]?.bodyAt));
    const request = decodeRequest(body);
    if (typeof request === 'string') return null;
    const permission = permissionOf(request);
    return permission.bid ? { body, person: permission.identifiers ? known(personOf(call)) : WITHHELD } : null;
  }

  function known(person: number): Person {
    const key = keyOf(seed, person, PEPPER);
    if (person >= profiles) return { state: 'unknown', identifier: key, anchor: key, memberships: [], caps: new Map() };
    const memberships = [encodeProfile(profileOf(seed, person, key, NOW))];
    return { state: 'known', identifier: key, anchor: key, memberships, caps: capsOf(seed, person, lineItems, NOW) };
  }
}

interface Call {
  readonly body: Buffer;
  readonly person: Person;
}

/**
 * Each request is read right before it is decided, which is not timed: so it is in the caches, as it is in the bidder. 4,096 requests
 * that were read long before are not, and to fetch them cost three times what there is to decide.
 */
function timeDecisions(index: Index, asked: readonly Call[], forSeconds: number) {
  const [exchange] = index.exchanges.values();
  if (exchange === undefined || asked.length === 0) throw new Error('there is nothing to decide');
  const next = (turn: number): Question => questionOf(asked[turn % asked.length] as Call, exchange);
  const ask = (turn: number): number => decide(index, next(turn)).bids.length;
  const warm = performance.now() + forSeconds * 500;
  for (let turn = 0; turn < WARM_UP && performance.now() < warm; turn++) ask(turn);
  const end = performance.now() + forSeconds * 1_000;
  // In nanoseconds.
  const histogram = createHistogram();
  let decisions = 0;
  let bids = 0;
  let spent = 0;
  while (decisions < LEAST_DECISIONS || performance.now() < end) {
    const question = next(decisions);
    const since = performance.now();
    const decision = decide(index, question);
    const took = performance.now() - since;
    spent += took;
    if (decision.bids.length > 0) bids++;
    decisions++;
    histogram.recordValue(Math.max(1, Math.min(6e7, Math.round(took * 1e6))));
  }
  return {
    decisions,
    meanUs: (spent * 1_000) / decisions,
    p50Us: histogram.getValueAtPercentile(50) / 1_000,
    p99Us: histogram.getValueAtPercentile(99) / 1_000,
    bidRate: bids / decisions,
  };
}

function questionOf({ body, person }: Call, exchange: LiveExchange): Question {
  const request = decodeRequest(body) as BidRequest;
  const { preciseLocation, childOnly } = permissionOf(request);
  const memberships = person.memberships.map((value) => Buffer.from(value));
  return {
    request,
    person: { ...person, memberships },
    exchange,
    preciseLocation,
    childOnly,
    now: NOW,
    allowance: () => Number.MAX_SAFE_INTEGER,
  };
}

/** What is reachable, on the heap and in buffers. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
