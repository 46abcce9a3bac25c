import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { Counter, Histogram } from 'prom-client';
import { ADDRESSABLE_KINDS } from '../../proto/identifier.ts';
import { NAME_SOURCE, PEPPER_SOURCE } from '../../proto/pepper.ts';
import type { AdEventRow } from '../ad-events/rows.ts';
import type { DmpDeps } from '../deps.ts';
import type { EdgeRow, PingRow, Tables } from '../events/rows.ts';
import { type Addition, addMemberships, countersKey } from '../publication/values.ts';
import { adHappened, eachHappened, eachPing, type Happened } from './happened.ts';
import type { StreamLeaf } from './matcher.ts';
import { createOpenSegments } from './open-segments.ts';
import { createStreamRules, type StreamRule } from './rules.ts';
import { MOST_COUNTED } from './streamable.ts';
import { createVisiting } from './visiting.ts';

const lag = new Histogram({
  name: 'walkin_streamed_seconds',
  help: 'Time from an event being durable to the membership that it gives being visible to bidders',
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
});
const streamed = new Counter({
  name: 'walkin_streamed_total',
  help: 'Memberships that events gave as they arrived, by outcome; the next refresh gives those that were lost',
  labelNames: ['outcome'] as const,
});

/**
 * Changes memberships as events arrive: of segments whose rule can be answered by them. Nobody waits for it, and nothing is lost where it
 * fails: the next refresh finds the same.
 */
export interface Stream {
  /** Looks at rows that are durable now. */
  take(tables: Tables): void;
  takeAds(rows: readonly AdEventRow[], edges: readonly EdgeRow[]): void;
  /** Resolves when all that was taken is visible, or given up. */
  drained(): Promise<void>;
}

/** An event that a leaf of a rule fits. */
interface Hit {
  readonly rule: StreamRule;
  readonly leaf: StreamLeaf;
  readonly happened: Happened;
  /** Keys of those whom the event named, of any kind, and those of them by which bid requests name people. */
  readonly keys: readonly string[];
  readonly addressable: readonly string[];
  /** Monotonic ms. */
  readonly since: number;
}

/** Pings that may make visits. */
interface Pinged {
  readonly pings: readonly PingRow[];
  readonly edges: readonly EdgeRow[];
  readonly since: number;
}

export type StreamDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now' | 'log'>;

/** Hits that wait; beyond, the next refresh does it. */
const MOST_WAITING = 100_000;
/** Hits that are worked on together. */
const TOGETHER = 2_000;
const LIMITS = { seconds: 10 };
const COUNTERS_S = 32 * 86_400;
const ADDRESSABLE: ReadonlySet<string> = new Set([...ADDRESSABLE_KINDS, '']);

export function createStream(deps: StreamDeps): Stream {
  const { redis, log, now } = deps;
  const rulesNow = createStreamRules(deps.things, now);
  const mayAdd = createOpenSegments(deps);
  const visiting = createVisiting(deps);
  let waiting: Hit[] = [];
  let pinged: Pinged[] = [];
  let running: Promise<void> | null = null;
  return { take, takeAds, drained };

  function take(tables: Tables): void {
    const rules = rulesNow();
    if (rules.length === 0) return;
    const hits: Happened[] = [];
    const look = (happened: Happened): void => {
      if (rules.some(({ leaves }) => leaves.some((leaf) => leaf.fits(happened)))) hits.push(happened);
    };
    eachHappened(tables, look);
    if (rules.some(({ leaves }) => leaves.some(({ looksAtPings }) => looksAtPings))) eachPing(tables, look);
    keep(rules, hits, tables.edges, performance.now());
    if (tables.pings.length > 0 && rules.some(({ leaves }) => leaves.some(({ wants }) => wants !== null))) keepPings(tables);
  }

  function takeAds(rows: readonly AdEventRow[], edges: readonly EdgeRow[]): void {
    const rules = rulesNow();
    if (rules.length === 0) return;
    const hits = rows.map(adHappened).filter((happened) => happened !== null);
    keep(rules, hits, edges, performance.now());
  }

  function keepPings({ pings, edges }: Tables): void {
    const held = pinged.reduce((sum, one) => sum + one.pings.length, 0);
    if (held + pings.length > MOST_WAITING) streamed.inc({ outcome: 'dropped' }, pings.length);
    else pinged.push({ pings, edges, since: performance.now() });
    running ??= work();
  }

  function keep(rules: readonly StreamRule[], events: readonly Happened[], edges: readonly EdgeRow[], since: number): void {
    if (events.length === 0) return;
    const named = namedWith(edges);
    for (const happened of events) {
      const keys = [...(named.get(happened.identifier) ?? new Map([[happened.identifier, '']]))];
      const who = {
        keys: keys.map(([key]) => key),
        addressable: keys.filter(([, kind]) => ADDRESSABLE.has(kind)).map(([key]) => key),
      };
      for (const rule of rules)
        for (const leaf of rule.leaves) {
          if (!leaf.fits(happened)) continue;
          if (waiting.length >= MOST_WAITING) streamed.inc({ outcome: 'dropped' });
          else waiting.push({ rule, leaf, happened, ...who, since });
        }
    }
    running ??= work();
  }

  async function work(): Promise<void> {
    // Calls that come in the same turn of the event loop are worked on together.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0 || pinged.length > 0) {
      if (waiting.length === 0) await lookForVisits();
      const hits = waiting.slice(0, TOGETHER);
      waiting = waiting.slice(TOGETHER);
      try {
        const open = await mayAdd();
        await apply(hits.filter(({ rule }) => open.has(rule.id)));
        const end = performance.now();
        for (const { since } of hits) lag.observe((end - since) / 1000);
      } catch (error) {
        streamed.inc({ outcome: 'failed' }, hits.length);
        log.warn({ err: error }, 'memberships were not streamed; the next refresh writes them');
      }
    }
    running = null;
  }

  /** What pings make of places is asked of the warehouse, so all that came meanwhile are looked at together. */
  async function lookForVisits(): Promise<void> {
    const some = pinged;
    pinged = [];
    const rules = rulesNow();
    const isWanted: Parameters<typeof visiting.madeBy>[1] = (place) =>
      rules.some(({ leaves }) => leaves.some(({ wants }) => wants?.(place) === true));
    try {
      const pings = some.flatMap((one) => one.pings);
      const edges = some.flatMap((one) => one.edges);
      keep(rules, await visiting.madeBy(pings, isWanted), edges, Math.min(...some.map(({ since }) => since)));
    } catch (error) {
      streamed.inc({ outcome: 'failed' });
      log.warn({ err: error }, 'visits were not streamed; the next refresh finds them');
    }
  }

  async function apply(hits: readonly Hit[]): Promise<void> {
    const simple = hits.filter(({ rule }) => !rule.counts);
    // Whom the event named needs no question to the warehouse.
    await add(
      simple.flatMap((hit) =>
        additionsOf(
          hit,
          hit.rule.until((leaf) => (leaf === hit.leaf ? [hit.happened.at] : [])),
          hit.addressable,
          true,
        ),
      ),
    );
    const people = await peopleOf(deps, [...new Set(hits.flatMap(({ keys }) => keys))]);
    const more = simple.flatMap((hit) => {
      const others = othersOf(hit, people);
      return additionsOf(
        hit,
        hit.rule.until((leaf) => (leaf === hit.leaf ? [hit.happened.at] : [])),
        others,
        false,
      );
    });
    for (const hit of hits) {
      if (!hit.rule.counts) continue;
      const times = await countedTimes(redis, hit, anchorOf(hit, people), now());
      const until = hit.rule.until((leaf) => times.get(leaf.id) ?? []);
      more.push(...additionsOf(hit, until, hit.addressable, true), ...additionsOf(hit, until, othersOf(hit, people), false));
    }
    await add(more);
  }

  async function add(additions: readonly Addition[]): Promise<void> {
    if (additions.length === 0) return;
    const { added, made, refused } = await addMemberships(redis, additions, now());
    streamed.inc({ outcome: 'added' }, added);
    streamed.inc({ outcome: 'made' }, made);
    streamed.inc({ outcome: 'refused' }, refused);
  }

  async function drained(): Promise<void> {
    while (running !== null) await running;
  }
}

/** By the identifier that an event's facts carry: all that it named, with their kinds. */
function namedWith(edges: readonly EdgeRow[]): Map<string, Map<string, string>> {
  const named = new Map<string, Map<string, string>>();
  for (const { a, kind_a, b, kind_b } of edges) {
    const known = named.get(a) ?? new Map([[a, kind_a]]);
    named.set(a, known.set(b, kind_b));
  }
  // What a fact names somebody by may be another key of theirs than the one by which they are joined.
  for (const { a, b, source } of edges)
    if ((source === PEPPER_SOURCE || source === NAME_SOURCE) && !named.has(b)) named.set(b, named.get(a) as Map<string, string>);
  return named;
}

function additionsOf({ rule }: Hit, until: number, identifiers: readonly string[], isNamed: boolean): Addition[] {
  if (until <= 0) return [];
  return identifiers.map((identifier) => ({ identifier, isNamed, segment: rule.number, until: Math.floor(until / 1000) }));
}

interface Person {
  readonly anchor: string;
  readonly addressable: readonly string[];
}

/** The person behind each key that is known. */
async function peopleOf({ warehouse }: StreamDeps, keys: readonly string[]): Promise<ReadonlyMap<string, Person>> {
  if (keys.length === 0) return new Map();
  const profiles = 'SELECT argMax(profile, version) FROM identities WHERE identifier IN {keys:Array(UUID)} GROUP BY identifier';
  const sql = `SELECT identifier, argMax(i.profile, version) AS profile, argMax(i.anchor, version) AS anchor,
      argMax(i.kind, version) AS kind
    FROM identities AS i WHERE identifier IN (SELECT identifier FROM identities WHERE profile IN (${profiles}))
    GROUP BY identifier`;
  const rows = await warehouse.query<{ identifier: string; profile: number; anchor: string; kind: string }>(
    { sql, params: { keys } },
    LIMITS,
  );
  const byProfile = new Map<number, { anchor: string; addressable: string[] }>();
  for (const { identifier, profile, anchor, kind } of rows) {
    const person = byProfile.get(profile) ?? { anchor, addressable: [] };
    byProfile.set(profile, person);
    if (ADDRESSABLE.has(kind)) person.addressable.push(identifier);
  }
  return new Map(rows.map(({ identifier, profile }) => [identifier, byProfile.get(profile) as Person]));
}

function othersOf(hit: Hit, people: ReadonlyMap<string, Person>): string[] {
  const others = hit.keys.flatMap((key) => people.get(key)?.addressable ?? []);
  return [...new Set(others)].filter((key) => !hit.addressable.includes(key));
}

function anchorOf({ keys, happened }: Hit, people: ReadonlyMap<string, Person>): string {
  for (const key of keys) {
    const person = people.get(key);
    if (person !== undefined) return person.anchor;
  }
  return happened.identifier;
}

const COUNT = readFileSync(new URL('./count.lua', import.meta.url), 'utf8');

/** Counts a hit, and tells the times of the newest events of each leaf, newest first. */
async function countedTimes(redis: Redis, hit: Hit, anchor: string, now: number): Promise<Map<string, number[]>> {
  const once = createHash('sha256').update(hit.happened.once).digest('hex').slice(0, 16);
  const event = [hit.leaf.id, once, Math.min(hit.happened.at, now)];
  const fields = (await redis.eval(COUNT, 1, countersKey(anchor), COUNTERS_S, MOST_COUNTED, ...event)) as string[];
  const times = new Map<string, number[]>();
  for (let at = 0; at < fields.length; at += 2)
    times.set(
      fields[at] as string,
      (fields[at + 1] as string).split(',').map((one) => Number(one.split(' ')[0])),
    );
  return times;
}
