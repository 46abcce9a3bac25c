import type { Warehouse } from '../dmp/clickhouse/warehouse.ts';

/** As many connections as the embedded engine has: on one of them the statement runs that is to be ended, on another one this is heard. */
const CONNECTIONS = 4;

/**
 * What folds and evaluations write: of minutes, with no step between, and safe to be cut off anywhere. One job writes at a time, so these are its
 * own. Without parameters: the embedded engine lets a statement that has some wait for all others that have.
 */
const END = `KILL QUERY WHERE current_database = currentDatabase()
  AND match(query, '^INSERT INTO (facts|segment_|memberships|placements|touches)') ASYNC`;

/** Ends the statement of the job that runs. */
export async function endWriting(warehouse: Pick<Warehouse, 'command'>): Promise<void> {
  await Promise.allSettled(Array.from({ length: CONNECTIONS }, () => warehouse.command({ sql: END })));
}
