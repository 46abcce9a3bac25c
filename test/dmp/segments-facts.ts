import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';

/** One row of `facts`, where a test writes them itself. What is left out is empty. */
export interface FactRow {
  readonly profile: number;
  readonly kind: string;
  readonly household?: number;
  readonly device?: number;
  /** Epoch ms. */
  readonly at?: number;
  readonly hour?: number;
  readonly source?: string;
  readonly sources?: readonly string[];
  readonly once?: number;
  readonly place?: string;
  readonly category?: string;
  readonly brand?: string;
  readonly name?: string;
  readonly item?: string;
  readonly value?: string;
  readonly number?: number;
  readonly amount?: number;
  /** H3 in decimal. */
  readonly cell?: string;
}

export async function putFacts(warehouse: Warehouse, rows: readonly FactRow[]): Promise<void> {
  const made = rows.map(({ at = 0, household, ...row }, n) => {
    const time = new Date(at).toISOString();
    return {
      ...row,
      household: household ?? row.profile,
      shard: (household ?? row.profile) % 64,
      at: time,
      day: time.slice(0, 10),
      id: `${BigInt(n) * 1_000_003n + BigInt(row.profile)}`,
      once: row.once ?? n,
    };
  });
  await warehouse.insert('facts', made);
}

/** People with one row of kind 'person' each. */
export function people(profiles: readonly number[], kinds = 'ifa', householdOf = (profile: number) => profile): FactRow[] {
  return profiles.map((profile) => ({ profile, kind: 'person', household: householdOf(profile), value: kinds }));
}

/** The members of a segment, as the segmenter writes them after a run. */
export async function putMembers(warehouse: Warehouse, segment: string, profiles: readonly number[], version = 1): Promise<void> {
  await warehouse.command({
    sql: `INSERT INTO segment_members SELECT {segment:String}, {version:UInt32}, household % 64 AS shard, groupBitmapState(profile), now64(3)
      FROM (SELECT DISTINCT profile, household FROM facts WHERE kind = 'person' AND profile IN {profiles:Array(UInt32)}) GROUP BY shard
      SETTINGS insert_deduplicate = 0`,
    params: { segment, version, profiles },
  });
  const run = { segment, version, revision: 1, started: new Date().toISOString(), seconds: 0, members: profiles.length };
  await warehouse.insert('segment_runs', [{ ...run, entered: profiles.length, left_count: 0, error: '' }]);
}
