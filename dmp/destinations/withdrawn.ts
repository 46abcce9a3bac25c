import type { Warehouse } from '../clickhouse/warehouse.ts';

const LIMITS = { seconds: 60 };
/** Identifiers by which somebody opted out, withdrew a consent or was erased since. */
const SAID = `SELECT identifier FROM opt_outs WHERE active = 1 AND at > fromUnixTimestamp64Milli({since:Int64})
  UNION ALL SELECT identifier FROM consents WHERE granted = 0 AND recorded > fromUnixTimestamp64Milli({since:Int64})
  UNION ALL SELECT identifier FROM erased WHERE at > fromUnixTimestamp64Milli({since:Int64})`;

/** When somebody did so last, epoch ms; 0: nobody ever. */
export async function lastWithdrawal(warehouse: Warehouse): Promise<number> {
  const at = (column: string, from: string): string => `(SELECT toFloat64(toUnixTimestamp64Milli(max(${column}))) FROM ${from})`;
  const consents = 'consents WHERE granted = 0';
  const sql = `SELECT greatest(${at('at', 'opt_outs WHERE active = 1')}, ${at('at', 'erased')}, ${at('recorded', consents)}) AS at`;
  const [row] = await warehouse.query<{ at: number }>({ sql });
  return row?.at ?? 0;
}

/** Whether the destination was told of somebody who did so since, by whatever identifier. Of nobody else it has to be told for it. */
export async function wasToldOf(warehouse: Warehouse, destination: string, since: number): Promise<boolean> {
  const sql = `SELECT 1 FROM sent WHERE destination = {destination:String} AND op = 1 AND (identifier IN (${SAID})
      OR identifier IN (SELECT identifier FROM identities WHERE profile IN (
        SELECT profile FROM identities WHERE identifier IN (${SAID})))) LIMIT 1`;
  const params = { destination, since };
  const [row] = await warehouse.query({ sql, params }, LIMITS);
  return row !== undefined;
}
