import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { Purpose } from '../sources/purposes.ts';

/**
 * What people's words come to, as parts of SQL. The newest word that any of a person's identifiers stands for counts, for each
 * purpose. Bound: `audience` (Array(String)), to whom it was said: '' and the advertiser; `consentNow` (Int64), epoch ms.
 */

/** Profiles whose newest word on one of the purposes is a withdrawal. Purposes are constants of the code. */
export function refusedProfiles(purposes: readonly Purpose[]): string {
  return `SELECT profile FROM (${newest(purposes)}) WHERE word.1 = 0`;
}

/** Profiles whose newest word on the purpose is a grant that has not run out. */
export function grantedProfiles(purpose: Purpose): string {
  return `SELECT profile FROM (${newest([purpose])}) WHERE word.1 = 1 AND word.2 > fromUnixTimestamp64Milli({consentNow:Int64})`;
}

function newest(purposes: readonly Purpose[]): string {
  const listed = purposes.map((purpose) => `'${purpose}'`).join(', ');
  const said = `SELECT identifier, purpose, at, recorded, granted, expires FROM consents FINAL
    WHERE purpose IN (${listed}) AND advertiser IN {audience:Array(String)}`;
  // Identities are ordered by identifier: only those that somebody spoke for are read.
  const who = 'SELECT identifier, profile FROM identities FINAL WHERE identifier IN (SELECT identifier FROM consents)';
  return `SELECT profile, argMax((granted, expires), (at, recorded, granted = 0)) AS word
    FROM (${said}) AS said INNER JOIN (${who}) AS who USING identifier GROUP BY profile, purpose`;
}

/** Whether anybody ever withdrew one of the purposes: without, the questions above need not be asked. */
export async function anyRefusal(warehouse: Warehouse, purposes: readonly Purpose[]): Promise<boolean> {
  const sql = 'SELECT 1 AS one FROM consents WHERE purpose IN {purposes:Array(String)} AND granted = 0 LIMIT 1';
  return (await warehouse.query({ sql, params: { purposes } })).length > 0;
}

export interface Word {
  readonly purpose: Purpose;
  readonly granted: 0 | 1;
  readonly advertiser: string;
  readonly at: string;
  readonly expires: string;
  readonly source: string;
  readonly document: string;
  readonly version: string;
  readonly channel: string;
  readonly id: string;
}

/** Everything that the people behind some keys have said, newest first; to an advertiser (and the operator), or to anybody. */
export async function readWords(
  warehouse: Warehouse,
  keys: readonly string[],
  audience: readonly string[] | null,
): Promise<Word[]> {
  const profiles = 'SELECT profile FROM identities FINAL WHERE identifier IN {keys:Array(UUID)}';
  const sql = `SELECT DISTINCT purpose, granted, advertiser, toString(c.at) AS at, toString(c.expires) AS expires, source, document, version, channel, id
    FROM consents AS c FINAL
    WHERE (identifier IN {keys:Array(UUID)} OR identifier IN (SELECT identifier FROM identities FINAL WHERE profile IN (${profiles})))
      ${audience === null ? '' : 'AND advertiser IN {audience:Array(String)}'}
    ORDER BY c.at DESC, granted, id`;
  return warehouse.query<Word>({ sql, params: { keys, ...(audience === null ? {} : { audience }) } });
}
