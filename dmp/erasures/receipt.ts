import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { DmpDeps } from '../deps.ts';

/** What an erasure did, and the search that found nothing afterwards. It names nobody. */
export interface Receipt {
  readonly identifiers: number;
  readonly profiles: number;
  /** Identifiers that were named and are several people's: they stay. */
  readonly shared: number;
  /** Rows by place. */
  readonly erased: Readonly<Record<string, number>>;
  readonly proof: {
    readonly at: string;
    readonly searched: readonly string[];
    readonly redisKeys: number;
    /** That were sent and are still here; absent of receipts from before they were searched. */
    readonly files?: number;
    /** Of exports that are kept; absent of receipts from before they were searched. */
    readonly exportFiles?: number;
    readonly found: readonly never[];
  };
}

export interface Erasure {
  readonly id: string;
  /** RFC 3339. */
  readonly at: string;
  readonly actor: string;
  readonly receipt: Receipt | null;
}

type Deps = Pick<DmpDeps, 'warehouse' | 'now'>;

export async function writeErasure({ warehouse, now }: Deps, { receipt, ...erasure }: Erasure): Promise<void> {
  const written = new Date(now()).toISOString();
  await warehouse.insert('erasures', [{ ...erasure, receipt: receipt === null ? '' : JSON.stringify(receipt), written }]);
}

/** Newer than the row that has none, also within the same millisecond. */
export async function writeReceipt({ warehouse, now }: Deps, erasure: Erasure, receipt: Receipt): Promise<void> {
  await writeErasure({ warehouse, now: () => now() + 1 }, { ...erasure, receipt });
}

export async function readErasure(warehouse: Warehouse, id: string): Promise<Erasure | null> {
  const sql = `SELECT id, toString(e.at) AS at, actor, receipt FROM erasures AS e FINAL WHERE id = {id:String}`;
  const [row] = await warehouse.query<{ id: string; at: string; actor: string; receipt: string }>({
    sql,
    params: { id },
  });
  if (row === undefined) return null;
  const receipt = row.receipt === '' ? null : (JSON.parse(row.receipt) as Receipt);
  return { ...row, at: `${row.at.replace(' ', 'T')}Z`, receipt };
}
