import type { Group } from '../../dmp/visits/groups.ts';
import type { Visit } from '../../dmp/visits/visit.ts';
import type { Ping } from '../device.ts';
import { boundsOf, LIMITS, type Pass, type VisitsDeps, within } from './pass.ts';

/** Where a device was, as columns. */
export interface Trace {
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
export async function readPings(
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
export function pingsOf({ at, lat, lon, error, low, fresh }: Trace): Ping[] {
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

/** The sources of the pings between a visit's first and last. */
export function sourcesOf({ at, source }: Trace, visit: Visit, sources: readonly string[]): string[] {
  const found = new Set<number>();
  for (let i = 0; i < at.length; i++)
    if ((at[i] as number) >= visit.start && (at[i] as number) <= visit.end) found.add(source[i] as number);
  return [...found].flatMap((place) => sources[place - 1] ?? []).sort();
}
