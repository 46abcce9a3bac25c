import type { DmpDeps } from '../deps.ts';
import type { PingRow } from '../events/rows.ts';
import { AT_PLACES_KEY } from '../publication/values.ts';
import { type Group, groupsOf } from '../visits/groups.ts';
import { type Place, placesOf } from '../visits/places.ts';
import { type Point, STAY, staysOf } from '../visits/stay.ts';
import { type Visit, visitsOf } from '../visits/visit.ts';
import { type Happened, visitHappened } from './happened.ts';

/** Tells visits as the pings come that make them: by the same stays, of the same pings, as the segmenter's refresh. */
export interface Visiting {
  /** The visits that these pings, which are durable, begin, lengthen or end. */
  madeBy(pings: readonly PingRow[], isWanted: (place: Place) => boolean): Promise<Happened[]>;
}

type Deps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now'>;

const HOUR_MS = 3_600_000;
/** Pings that come later than this are the refresh's. */
const LATEST_MS = 24 * HOUR_MS;
const AHEAD_MS = 10_000;
/** The local day of a place, whose stays are one visit, and a stay that began before it. */
const BEFORE_MS = 36 * HOUR_MS;
/** Devices in one question, of the warehouse or of Redis. */
const TOGETHER = 1_000;
const LIMITS = { seconds: 10 };
const PLACES: ReadonlySet<string> = new Set(['store', 'geofence', 'source']);

/** Of a device: from its first to its last ping that just came, epoch ms. */
interface Span {
  first: number;
  last: number;
}

export function createVisiting(deps: Deps): Visiting {
  let groups: readonly Group[] | null = null;
  deps.things.onChange((kind) => {
    if (PLACES.has(kind)) groups = null;
  });
  return {
    madeBy: async (pings, isWanted) => {
      groups ??= groupsOf(placesOf(deps.things));
      const devices = await devicesAtPlaces(deps, pings, groups, isWanted);
      const found: Happened[] = [];
      const all = [...devices];
      for (let from = 0; from < all.length; from += TOGETHER) {
        const some = new Map(all.slice(from, from + TOGETHER));
        for (const trace of await readTraces(deps, some))
          found.push(...visitsIn(trace, some.get(trace.identifier) as Span, groups));
      }
      return found;
    },
  };
}

/** Those of whom a ping is at a place that is wanted, or was within the longest silence of a stay: being elsewhere ends a visit. */
async function devicesAtPlaces(
  { redis, now }: Deps,
  pings: readonly PingRow[],
  groups: readonly Group[],
  isWanted: (place: Place) => boolean,
): Promise<Map<string, Span>> {
  const spans = new Map<string, Span>();
  const seen = new Map<string, number>();
  const [oldest, newest] = [now() - LATEST_MS, now() + AHEAD_MS];
  for (const ping of pings) {
    const at = Date.parse(ping.at);
    if (ping.class === 'low' || at < oldest || at > newest) continue;
    const { identifier, lat, lon } = ping;
    const span = spans.get(identifier);
    if (span === undefined) spans.set(identifier, { first: at, last: at });
    else {
      span.first = Math.min(span.first, at);
      span.last = Math.max(span.last, at);
    }
    const isThere = groups.some(({ index }) => index.near(lat, lon).some(isWanted));
    if (isThere) seen.set(identifier, Math.max(at, seen.get(identifier) ?? 0));
  }
  const others = [...spans.keys()].filter((identifier) => !seen.has(identifier));
  const before = others.length === 0 ? [] : await redis.zmscore(AT_PLACES_KEY, ...others);
  for (const [index, identifier] of others.entries()) {
    const at = before[index];
    if (at == null || Number(at) < (spans.get(identifier) as Span).first - STAY.gapMs) spans.delete(identifier);
  }
  if (seen.size > 0) {
    const scores = [...seen].flatMap(([identifier, at]) => [at, identifier]);
    await redis
      .pipeline()
      .zadd(AT_PLACES_KEY, 'GT', ...scores)
      .zremrangebyscore(AT_PLACES_KEY, '-inf', oldest)
      .exec();
  }
  return spans;
}

interface Trace {
  readonly identifier: string;
  readonly points: readonly (Point & { readonly source: string; readonly low: boolean })[];
}

async function readTraces({ warehouse }: Deps, devices: ReadonlyMap<string, Span>): Promise<Trace[]> {
  const sql = `SELECT identifier, groupArray(toFloat64(toUnixTimestamp64Milli(p.at))) AS at, groupArray(p.lat) AS lat, groupArray(p.lon) AS lon,
      groupArray(p.error) AS error, groupArray(toUInt8(p.class = 'low')) AS low, groupArray(toString(p.source)) AS source
    FROM (SELECT identifier, at, lat, lon, error, class, source FROM pings FINAL
      WHERE identifier IN {devices:Array(UUID)}
        AND at BETWEEN fromUnixTimestamp64Milli({from:Int64}) AND fromUnixTimestamp64Milli({to:Int64})) AS p
    GROUP BY identifier`;
  const spans = [...devices.values()];
  const from = Math.min(...spans.map(({ first }) => first)) - BEFORE_MS;
  const to = Math.max(...spans.map(({ last }) => last)) + STAY.gapMs;
  const params = { devices: [...devices.keys()], from, to };
  const rows = await warehouse.query<Columns>({ sql, params }, LIMITS);
  return rows.map(({ identifier, at, lat, lon, error, low, source }) => ({
    identifier,
    points: at
      .map((time, i) => ({
        at: time,
        lat: lat[i] as number,
        lon: lon[i] as number,
        error: error[i] as number,
        low: low[i] === 1,
        source: source[i] as string,
      }))
      .sort((a, b) => a.at - b.at || a.lat - b.lat || a.lon - b.lon || a.error - b.error),
  }));
}

interface Columns {
  readonly identifier: string;
  readonly at: number[];
  readonly lat: number[];
  readonly lon: number[];
  readonly error: number[];
  readonly low: number[];
  readonly source: string[];
}

/** A device's visits that what just came has touched. */
function visitsIn({ identifier, points }: Trace, { first, last }: Span, groups: readonly Group[]): Happened[] {
  return groups.flatMap(({ index, withheld }) => {
    const own = withheld.length === 0 ? points : points.filter(({ source }) => !withheld.includes(source));
    const visits = visitsOf(staysOf(own.filter(({ low }) => !low).filter(isNew)), index);
    return [...visits.values()]
      .filter(({ start, end }) => end >= first - STAY.gapMs && start <= last)
      .map((visit) => visitHappened(identifier, visit, sourcesOf(visit, own)));
  });
}

/** Two sources may tell of the same point. */
function isNew(point: Point, place: number, points: readonly Point[]): boolean {
  const before = points[place - 1];
  return before === undefined || before.at !== point.at || before.lat !== point.lat || before.lon !== point.lon;
}

function sourcesOf({ start, end }: Visit, points: Trace['points']): string[] {
  return [...new Set(points.filter(({ at }) => at >= start && at <= end).map(({ source }) => source))];
}
