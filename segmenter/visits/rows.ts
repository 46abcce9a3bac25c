import { byWithheld, type Group, nameOf } from '../../dmp/visits/groups.ts';
import type { Place } from '../../dmp/visits/places.ts';
import type { Visit } from '../../dmp/visits/visit.ts';
import type { KnownVisit, Recomputed } from '../device.ts';
import { boundsOf, LIMITS, type Pass, type VisitsDeps, within } from './pass.ts';

/** Later than all there are. */
export async function nextVersion({ warehouse, now }: VisitsDeps): Promise<number> {
  const [row] = await warehouse.query<{ version: string }>({ sql: 'SELECT max(version) AS version FROM visits' });
  return Math.max(now(), Number(row?.version ?? 0) + 1);
}

/** By device. */
export async function readVisits({ warehouse }: VisitsDeps, pass: Pass, group: Group): Promise<Map<string, KnownVisit[]>> {
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

export function rowsOf(
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

/**
 * Takes visits back that were made of pings of a source that the place's advertiser may not use any more. What remains of them
 * without these pings is found again by the pass that follows.
 */
export async function cancelWithheld(
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
