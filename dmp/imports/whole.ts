import type { Warehouse } from '../clickhouse/warehouse.ts';
import { dateTimeOf } from '../events/time.ts';
import type { ImportType } from './import.ts';

/** Written anew with deleted = 1: what a source's earlier files held. */
const REST: Readonly<Partial<Record<ImportType, { readonly table: string; readonly columns: string }>>> = {
  purchase: {
    table: 'purchases',
    columns: 'source, receipt, line, at, identifier, store, product, category, department, brand, quantity, amount, currency',
  },
  product: { table: 'products', columns: 'source, product, name, category, department, brand' },
  stock: { table: 'stocks', columns: 'source, store, product, at, quantity, price, currency' },
};

export function canBeWhole(type: ImportType): boolean {
  return Object.hasOwn(REST, type);
}

/** Takes away the rows of a source that came in before `begun`. Repeating it changes nothing. */
export async function takeAwayOthers(
  warehouse: Warehouse,
  type: ImportType,
  source: string,
  begun: number,
  now: number,
): Promise<void> {
  const rest = REST[type];
  if (rest === undefined) return;
  const { table, columns } = rest;
  await warehouse.command(
    {
      sql: `INSERT INTO ${table} (${columns}, ingested, deleted)
        SELECT ${columns}, {now:DateTime64(3, 'UTC')}, 1 FROM ${table} FINAL
        WHERE source = {source:String} AND ingested < {begun:DateTime64(3, 'UTC')}
        SETTINGS insert_deduplicate = 0`,
      params: { source, begun: dateTimeOf(begun), now: dateTimeOf(now) },
    },
    { seconds: 3600 },
  );
}
