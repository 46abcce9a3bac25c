import type { Statement } from '../dmp/clickhouse/warehouse.ts';

/** What decides where somebody lives and works. */
export interface HomeTerms {
  /** Back from the device's own newest ping, so that the answer depends on its pings alone and not on when it is asked. */
  readonly days: number;
  /** Different nights, or days of work, on which the device must have been in the cell. */
  readonly least: number;
}

export const HOME_TERMS: HomeTerms = { days: 60, least: 3 };

/** Where a device was last by one source, lives or works. */
export interface Whereabouts {
  readonly identifier: string;
  readonly kind: 'position' | 'home' | 'work';
  /** Of the newest ping that says so, 'YYYY-MM-DD hh:mm:ss.sss'. */
  readonly at: string;
  /** H3 at resolution 9, decimal. */
  readonly cell: string;
  /** Of a position; of the others empty, since several may have a part in it. */
  readonly source: string;
  /** All whose pings say so. */
  readonly sources: readonly string[];
  /** Epoch ms of the newest ping's arrival. */
  readonly revision: string;
}

/**
 * Selects the `Whereabouts` of devices from their pings. Vague pings say nothing. A position is the last ping of a source. A home is the cell
 * with the most different nights (0:00 to 6:00), work the cell with the most different working days (Monday to Friday, 10:00 to 17:00)
 * that is not the home; of equal ones the greater cell. Pings know no time zone: the hour is that of the sun, 15 degrees each, which is off
 * by an hour or two at most.
 *
 * @param devices condition over `identifier`, a constant or with places of `params`
 */
export function whereaboutsStatement(
  devices: string,
  params: Readonly<Record<string, unknown>> = {},
  { days, least }: HomeTerms = HOME_TERMS,
): Statement {
  const sql = `WITH clear AS (SELECT identifier, source, at, ingested, lat, lon, h3ToParent(cell, 9) AS near FROM pings FINAL WHERE class != 'low' AND (${devices})),
    newest AS (SELECT identifier, max(at) AS last FROM clear GROUP BY identifier),
    cells AS (
      SELECT identifier, near,
        toHour(local) < 6 AS isNight, toDayOfWeek(local) <= 5 AND toHour(local) >= 10 AND toHour(local) < 17 AS isWork,
        uniqExactIf(toDate(local), isNight) AS nights, uniqExactIf(toDate(local), isWork) AS workdays,
        max(at) AS seen, groupUniqArray(source) AS sources, max(ingested) AS came
      FROM (SELECT c.identifier AS identifier, near, at, ingested, source, at + toIntervalHour(toInt32(round(lon / 15))) AS local
        FROM clear AS c INNER JOIN newest AS n ON c.identifier = n.identifier WHERE at > last - toIntervalDay({homeDays:UInt32}))
      WHERE isNight OR isWork GROUP BY identifier, near, isNight, isWork
    ),
    homes AS (
      SELECT identifier, argMax((near, seen, sources, came), (nights, near)) AS best FROM cells
      WHERE isNight AND nights >= {homeLeast:UInt32} GROUP BY identifier
    ),
    works AS (
      SELECT identifier, argMax((near, seen, sources, came), (workdays, near)) AS best FROM cells
      WHERE isWork AND workdays >= {homeLeast:UInt32} AND (identifier, near) NOT IN (SELECT identifier, best.1 FROM homes) GROUP BY identifier
    )
  SELECT identifier, 'position' AS kind, max(c.at) AS at, argMax(near, (c.at, lat, lon)) AS cell, source, [source] AS sources, max(toUnixTimestamp64Milli(ingested)) AS revision
    FROM clear AS c GROUP BY identifier, source
  UNION ALL SELECT identifier, 'home', best.2, best.1, '', arraySort(best.3), toUnixTimestamp64Milli(best.4) FROM homes
  UNION ALL SELECT identifier, 'work', best.2, best.1, '', arraySort(best.3), toUnixTimestamp64Milli(best.4) FROM works`;
  return { sql, params: { ...params, homeDays: days, homeLeast: least } };
}
