import type { Readable } from 'node:stream';
import type { Api, JobView } from './api.ts';
import { columnsOf, openFile } from './csv.ts';
import { ReplayError } from './say.ts';

/** Source of all that is imported, so that the segments count nothing else. */
export const SOURCE = 'completejourney';

export interface Imported {
  readonly rows: number;
  readonly quarantined: number;
}

type ImportType = 'product' | 'purchase' | 'redemption';

/** Field → column. Those of OPTIONAL are left out where the file lacks the column. */
const COLUMNS: Readonly<Record<ImportType, Readonly<Record<string, string>>>> = {
  product: {
    product: 'product_id',
    name: 'product_type',
    category: 'product_category',
    department: 'department',
    brand: 'brand',
  },
  purchase: {
    id: 'basket_id',
    line: 'product_id',
    at: 'transaction_timestamp',
    store: 'store_id',
    product: 'product_id',
    quantity: 'quantity',
    amount: 'sales_value',
  },
  redemption: { at: 'redemption_date', coupon: 'coupon_upc', promotion: 'campaign_id' },
};
const OPTIONAL: ReadonlySet<string> = new Set(['name', 'category', 'department', 'brand', 'store', 'quantity', 'promotion']);

/** Households are people, their numbers loyalty cards. */
const HOUSEHOLD = { kind: 'loyalty', column: 'household_id' };

export async function createSource(api: Api): Promise<void> {
  await api.put(`/v1/sources/${SOURCE}`, { name: 'Complete Journey', party: '1p', timeZone: 'UTC', currency: 'USD' });
}

export interface ImportOptions {
  /** Bytes to send instead of the file's own. */
  readonly open?: (file: string) => Readable;
  /** Field → column that is to be read instead. */
  readonly columns?: Readonly<Record<string, string>>;
}

/** One import for each file, as jobs, one after the other. */
export async function importFiles(
  api: Api,
  type: ImportType,
  files: readonly string[],
  options: ImportOptions = {},
): Promise<Imported> {
  let total: Imported = { rows: 0, quarantined: 0 };
  for (const file of files) {
    const present = await columnsOf(file);
    const wanted = Object.entries(COLUMNS[type]).filter(([field, column]) => present.includes(column) || !OPTIONAL.has(field));
    const columns = { ...Object.fromEntries(wanted), ...options.columns };
    const mapping = { columns, ...(type === 'product' ? {} : { identifiers: [HOUSEHOLD] }) };
    const { id } = await api.post<{ id: string }>('/v1/imports', { type, format: 'csv', source: SOURCE, mapping });
    const job = await api.putCsv<JobView>(`/v1/imports/${id}/file`, (options.open ?? openFile)(file));
    const { result } = await api.finished(job);
    const { rows, quarantined } = countsOf(result);
    total = { rows: total.rows + rows, quarantined: total.quarantined + quarantined };
  }
  return total;
}

function countsOf(result: unknown): Imported {
  const { accepted, quarantined } = (result ?? {}) as { accepted?: unknown; quarantined?: unknown };
  if (typeof accepted !== 'number' || typeof quarantined !== 'number') {
    throw new ReplayError(`The import does not say what it accepted: ${JSON.stringify(result)}`);
  }
  return { rows: accepted, quarantined };
}
