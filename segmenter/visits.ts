import type { DmpDeps } from '../dmp/deps.ts';
import { byWithheld, type Group, groupsOf, nameOf } from '../dmp/visits/groups.ts';
import { type Box, boxOf, digestsOf, type Place, placesOf } from '../dmp/visits/places.ts';
import type { Visit } from '../dmp/visits/visit.ts';
import { type KnownVisit, type Ping, type Recomputed, recompute, type Window } from './device.ts';

/** Redis: newest `ingested` of the pings that were looked at (epoch ms), and a hash `kind:id` → digest of the places. */
const WATERMARK_KEY = 'walkin:segmenter:pings';
const PLACES_KEY = 'walkin:segmenter:places';
/** Rows become visible a little after the time they carry; what is read twice changes nothing. */
const OVERLAP_MS = 120_000;
/** Pings this long before and after fresh ones are read with them. */
const AROUND_MS = 4 * 86_400_000;
/** Pings that are held in memory at once. */
const PART = 300_000;
/** With more changed places than this everybody is reconsidered. */
const MAX_BOXES = 200;
/** A stay's centre is within 75 m of its first point, a place within 50 m of that. */
const BOX_MARGIN = 150;
const LIMITS = { seconds: 120, memoryBytes: 4 * 1024 ** 3 };

export interface VisitsFound {
  readonly devices: number;
  readonly pings: number;
  readonly written: number;
  readonly cancelled: number;
  readonly seconds: number;
}

/** Called between parts: how many of how many are done. It may throw to stop; the rest is done the next time. */
export type Between = (done: number, total: number) => Promise<void>;

export interface Visits {
  /** Brings the visits up to date with the pings that came in and the places that changed. */
  find(between?: Between): Promise<VisitsFound>;
}

type VisitsDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now'>;

/** Which devices are looked at, and which of their pings count as fresh. */
interface Pass {
  /** Condition over `identifier`, with its parameters. */
  readonly devices: string;
  readonly fresh: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly window: Window;
}

/** The groups, and the sources that there are, by which rows of visits name theirs. */
interface Ground {
  readonly groups: readonly Group[];
  readonly sources: readonly string[];
}

interface Tally {
  devices: number;
  pings: number;
  written: number;
  cancelled: number;
}

export function createVisits(deps: VisitsDeps): Visits {
  let known: { digests: string; groups: readonly Group[] } | null = null;
  const groupsFor = (places: readonly Place[], digests: ReadonlyMap<string, string>): readonly Group[] => {
    const all = JSON.stringify([...digests]);
    if (known?.digests !== all) known = { digests: all, groups: groupsOf(places) };
    return known.groups;
  };
  return {
    find: async (between = async () => undefined) => {
      const began = performance.now();
      const places = placesOf(deps.things);
      const digests = digestsOf(places);
      const ground = { groups: groupsFor(places, digests), sources: await readSources(deps) };
      const tally: Tally = { devices: 0, pings: 0, written: 0, cancelled: 0 };
      const version = await nextVersion(deps);
      const changed = await changedPlaces(deps, digests);
      const news = await readNews(deps);
      if (changed.length > 0) await cancelWithheld(deps, places, changed, version);
      // The first time everything is news, which is all that a changed place could ask for.
      if (changed.length > 0 && news?.first !== true)
        await runPass(deps, passOfPlaces(places, changed), ground, version + 1, tally, between);
      if (news !== null && places.length > 0) await runPass(deps, news.pass, ground, version + 1, tally, between);
      await save(deps, digests, changed, news?.newest ?? null);
      return { ...tally, seconds: (performance.now() - began) / 1000 };
    },
  };
}

async function readSources({ warehouse }: VisitsDeps): Promise<string[]> {
  const rows = await warehouse.query<{ source: string }>({ sql: 'SELECT DISTINCT source FROM pings ORDER BY source' });
  return rows.map(({ source }) => source);
}

/**
 * Takes visits back that were made of pings of a source that the place's advertiser may not use any more. What remains of them
 * without these pings is found again by the pass that follows.
 */
async function cancelWithheld(
  { warehouse }: VisitsDeps,
  places: readonly Place[],
  changed: readonly string[],
  version: number,
): Promise<void> {
  const names = new Set(changed);
  const meant = places.filter((place) => place.withheld !== undefined && names.has(nameOf(place)));
  for (const members of byWithheld(meant)) {
    // The key of a visit makes a repetition harmless.
    const sql = `INSERT INTO visits (identifier, kind, place, day, start, \`end\`, dwell, pings, cancelled, version, sources) SETTINGS insert_deduplicate = 0
      SELECT identifier, kind, place, day, start, \`end\`, dwell, pings, 1, {version:UInt64}, sources FROM visits FINAL
      WHERE cancelled = 0 AND hasAny(sources, {withheld:Array(String)}) AND concat(toString(kind), ':', place) IN {places:Array(String)}`;
    await warehouse.command(
      { sql, params: { version, withheld: members[0]?.withheld ?? [], places: members.map(nameOf) } },
      LIMITS,
    );
  }
}

async function nextVersion({ warehouse, now }: VisitsDeps): Promise<number> {
  const [row] = await warehouse.query<{ version: string }>({ sql: 'SELECT max(version) AS version FROM visits' });
  return Math.max(now(), Number(row?.version ?? 0) + 1);
}

/** Places that were made, changed or taken away since the last time. */
async function changedPlaces({ redis }: VisitsDeps, digests: ReadonlyMap<string, string>): Promise<string[]> {
  const before = await redis.hgetall(PLACES_KEY);
  const gone = Object.keys(before).filter((key) => !digests.has(key));
  return [...gone, ...[...digests].flatMap(([key, digest]) => (before[key] === digest ? [] : [key]))];
}

const ALL_TIME: Window = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY };
const EVERYBODY = { devices: '1', fresh: '1', params: {} } as const;

/** Everybody who was near a changed place as it is now, or has visits to it from before; all their past. */
function passOfPlaces(places: readonly Place[], changed: readonly string[]): Pass {
  const names = new Set(changed);
  const boxes = places.filter((place) => names.has(`${place.kind}:${place.id}`)).map(({ fence }) => boxOf(fence, BOX_MARGIN));
  const drawn = boxes.filter((box): box is Box => box !== null);
  if (drawn.length < boxes.length || changed.length > MAX_BOXES) return { ...EVERYBODY, window: ALL_TIME };
  const devices = `(identifier IN (SELECT identifier FROM pings WHERE arrayExists((s, n, w, e) -> lat >= s AND lat <= n AND lon >= w AND lon <= e,
      {souths:Array(Float64)}, {norths:Array(Float64)}, {wests:Array(Float64)}, {easts:Array(Float64)}))
    OR identifier IN (SELECT identifier FROM visits WHERE concat(toString(kind), ':', place) IN {places:Array(String)}))`;
  const params = {
    souths: drawn.map((box) => box.south),
    norths: drawn.map((box) => box.north),
    wests: drawn.map((box) => box.west),
    easts: drawn.map((box) => box.east),
    places: changed,
  };
  return { devices, fresh: '1', params, window: ALL_TIME };
}

/** The devices whose pings came in since the watermark; null: none did. */
async function readNews({ warehouse, redis }: VisitsDeps): Promise<{ pass: Pass; newest: number; first: boolean } | null> {
  const watermark = await redis.get(WATERMARK_KEY);
  const since = Math.max(0, Number(watermark ?? 0) - OVERLAP_MS);
  const sql = `SELECT count() AS n, toFloat64(toUnixTimestamp64Milli(min(at))) AS first, toFloat64(toUnixTimestamp64Milli(max(at))) AS last,
      toFloat64(toUnixTimestamp64Milli(max(ingested))) AS newest
    FROM pings WHERE ingested >= fromUnixTimestamp64Milli({since:Int64})`;
  const [row] = await warehouse.query<{ n: string; first: number; last: number; newest: number }>({ sql, params: { since } });
  if (row === undefined || row.n === '0') return null;
  const fresh = 'ingested >= fromUnixTimestamp64Milli({since:Int64})';
  const devices = `identifier IN (SELECT identifier FROM pings WHERE ${fresh})`;
  if (watermark === null) return { pass: { ...EVERYBODY, window: ALL_TIME }, newest: row.newest, first: true };
  const window = { from: row.first - AROUND_MS, to: row.last + AROUND_MS };
  return { pass: { devices, fresh, params: { since }, window }, newest: row.newest, first: false };
}

async function save(
  { redis }: VisitsDeps,
  digests: ReadonlyMap<string, string>,
  changed: readonly string[],
  newest: number | null,
): Promise<void> {
  const writes = redis.multi();
  const gone = changed.filter((key) => !digests.has(key));
  if (gone.length > 0) writes.hdel(PLACES_KEY, ...gone);
  const present = changed.flatMap((key) => (digests.has(key) ? [key, digests.get(key) as string] : []));
  if (present.length > 0) writes.hset(PLACES_KEY, ...present);
  if (newest !== null) writes.set(WATERMARK_KEY, newest);
  await writes.exec();
}

async function runPass(
  deps: VisitsDeps,
  pass: Pass,
  ground: Ground,
  version: number,
  tally: Tally,
  between: Between,
): Promise<void> {
  const parts = Math.ceil((await countPings(deps, pass)) / PART) || 1;
  for (let part = 0; part < parts; part++) {
    await between(part, parts);
    const slice = `${pass.devices} AND cityHash64(identifier) % {parts:UInt32} = {part:UInt32}`;
    const chosen: Pass = { ...pass, devices: slice, params: { ...pass.params, parts, part } };
    for (const group of ground.groups) {
      const open = await recomputeDevices(deps, chosen, group, ground.sources, version, tally);
      if (open.length === 0) continue;
      const params = { ...pass.params, open };
      const whole = { ...pass, devices: 'identifier IN {open:Array(UUID)}', params, window: ALL_TIME };
      await recomputeDevices(deps, whole, group, ground.sources, version, tally);
    }
  }
}

async function countPings({ warehouse }: VisitsDeps, { devices, params, window }: Pass): Promise<number> {
  const sql = `SELECT count() AS n FROM pings WHERE ${devices} AND ${within('at', window)}`;
  const [row] = await warehouse.query<{ n: string }>({ sql, params: { ...params, ...boundsOf(window) } }, LIMITS);
  return Number(row?.n ?? 0);
}

/** Recomputes and writes; returns the devices of which more must be read. */
async function recomputeDevices(
  deps: VisitsDeps,
  pass: Pass,
  group: Group,
  sources: readonly string[],
  version: number,
  tally: Tally,
): Promise<string[]> {
  const [traces, known] = [await readPings(deps, pass, group, sources), await readVisits(deps, pass, group)];
  const open: string[] = [];
  const rows: object[] = [];
  for (const { identifier, ...trace } of traces) {
    const result = recompute(pingsOf(trace), known.get(identifier) ?? [], pass.window, group.index);
    if (result === null) {
      open.push(identifier);
      continue;
    }
    tally.devices++;
    tally.pings += trace.at.length;
    tally.written += result.written.length;
    tally.cancelled += result.cancelled.length;
    rows.push(...rowsOf(identifier, result, version, (visit) => sourcesOf(trace, visit, sources)));
  }
  await deps.warehouse.insert('visits', rows);
  return open;
}

interface Trace {
  readonly at: number[];
  readonly lat: number[];
  readonly lon: number[];
  readonly error: number[];
  readonly low: number[];
  readonly fresh: number[];
  /** Places in the list of sources, from 1. */
  readonly source: number[];
}

/** A device's pings as columns: a tenth of the time that a row each takes. */
async function readPings(
  { warehouse }: VisitsDeps,
  pass: Pass,
  { withheld }: Group,
  sources: readonly string[],
): Promise<({ identifier: string } & Trace)[]> {
  const sql = `SELECT identifier, groupArray(toFloat64(toUnixTimestamp64Milli(p.at))) AS at, groupArray(p.lat) AS lat, groupArray(p.lon) AS lon,
      groupArray(p.error) AS error, groupArray(toUInt8(p.class = 'low')) AS low, groupArray(toUInt8(p.is_fresh)) AS fresh,
      groupArray(toUInt32(indexOf({sources:Array(String)}, toString(p.source)))) AS source
    FROM (SELECT identifier, at, lat, lon, error, class, source, ${pass.fresh} AS is_fresh FROM pings FINAL
      WHERE ${pass.devices} AND ${within('at', pass.window)}${withheld.length === 0 ? '' : ' AND source NOT IN {withheld:Array(String)}'}) AS p
    GROUP BY identifier`;
  const params = { ...pass.params, ...boundsOf(pass.window), sources, ...(withheld.length === 0 ? {} : { withheld }) };
  return warehouse.query<{ identifier: string } & Trace>({ sql, params }, LIMITS);
}

/** In order of time; of points of one time the order is that of their places, so that it is always the same. */
function pingsOf({ at, lat, lon, error, low, fresh }: Trace): Ping[] {
  return at
    .map((time, i) => ({
      at: time,
      lat: lat[i] as number,
      lon: lon[i] as number,
      error: error[i] as number,
      low: low[i] === 1,
      fresh: fresh[i] === 1,
    }))
    .sort((a, b) => a.at - b.at || a.lat - b.lat || a.lon - b.lon || a.error - b.error);
}

async function readVisits({ warehouse }: VisitsDeps, pass: Pass, group: Group): Promise<Map<string, KnownVisit[]>> {
  const sql = `SELECT identifier, kind, place, day, toFloat64(toUnixTimestamp64Milli(start)) AS start_ms,
      toFloat64(toUnixTimestamp64Milli(\`end\`)) AS end_ms, dwell, pings, cancelled
    FROM visits FINAL WHERE ${pass.devices} AND ${within('start', pass.window)}`;
  const rows = await warehouse.query<{
    identifier: string;
    kind: Place['kind'];
    place: string;
    day: string;
    start_ms: number;
    end_ms: number;
    dwell: number;
    pings: number;
    cancelled: number;
  }>({ sql, params: { ...pass.params, ...boundsOf(pass.window) } }, LIMITS);
  const known = new Map<string, KnownVisit[]>();
  for (const { identifier, start_ms, end_ms, cancelled, ...rest } of rows) {
    if (!group.isOurs(`${rest.kind}:${rest.place}`)) continue;
    const visit = { ...rest, start: start_ms, end: end_ms, cancelled: cancelled === 1 };
    const visits = known.get(identifier);
    if (visits === undefined) known.set(identifier, [visit]);
    else visits.push(visit);
  }
  return known;
}

/** The sources of the pings between a visit's first and last. */
function sourcesOf({ at, source }: Trace, visit: Visit, sources: readonly string[]): string[] {
  const found = new Set<number>();
  for (let i = 0; i < at.length; i++)
    if ((at[i] as number) >= visit.start && (at[i] as number) <= visit.end) found.add(source[i] as number);
  return [...found].flatMap((place) => sources[place - 1] ?? []).sort();
}

function rowsOf(
  identifier: string,
  { written, cancelled }: Recomputed,
  version: number,
  sourcesFor: (visit: Visit) => string[],
): object[] {
  const row = (visit: Visit, isCancelled: 0 | 1): object => ({
    ...visit,
    identifier,
    start: new Date(visit.start).toISOString(),
    end: new Date(visit.end).toISOString(),
    cancelled: isCancelled,
    version,
    sources: sourcesFor(visit),
  });
  return [...written.map((visit) => row(visit, 0)), ...cancelled.map((visit) => row(visit, 1))];
}

function within(column: 'at' | 'start', window: Window): string {
  if (!Number.isFinite(window.from)) return '1';
  return `${column} BETWEEN fromUnixTimestamp64Milli({from:Int64}) AND fromUnixTimestamp64Milli({to:Int64})`;
}

function boundsOf(window: Window): Record<string, number> {
  return Number.isFinite(window.from) ? { from: window.from, to: window.to } : {};
}
