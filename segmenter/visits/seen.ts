import { ALL_TIME, EVERYBODY, type Pass, type VisitsDeps } from './pass.ts';

/** Redis: newest `ingested` of the pings that were looked at (epoch ms), and a hash `kind:id` → digest of the places. */
const WATERMARK_KEY = 'walkin:segmenter:pings';
const PLACES_KEY = 'walkin:segmenter:places';
/** Rows become visible a little after the time they carry; what is read twice changes nothing. */
const OVERLAP_MS = 120_000;
/** Pings this long before and after fresh ones are read with them. */
const AROUND_MS = 4 * 86_400_000;

/** Places that were made, changed or taken away since the last time. */
export async function changedPlaces({ redis }: VisitsDeps, digests: ReadonlyMap<string, string>): Promise<string[]> {
  const before = await redis.hgetall(PLACES_KEY);
  const gone = Object.keys(before).filter((key) => !digests.has(key));
  return [...gone, ...[...digests].flatMap(([key, digest]) => (before[key] === digest ? [] : [key]))];
}

/** The devices whose pings came in since the watermark; null: none did. */
export async function readNews({ warehouse, redis }: VisitsDeps): Promise<{ pass: Pass; newest: number; first: boolean } | null> {
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

/** Remembers the pings and places that visits are made of. */
export async function saveSeen(
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
