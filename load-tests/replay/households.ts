import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { parse } from 'csv-parse';

/** What is to be known of the purchases before they are imported. */
export interface Households {
  /** In the order of their first line. */
  readonly ids: readonly string[];
  /**
   * Whether a product is on at most one line of a receipt, or on several that are alike, so that receipt and product name the
   * line however often and in whatever order files bring it.
   */
  readonly productNamesLine: boolean;
}

type Row = Readonly<Record<string, string>>;

export async function scanTransactions(files: readonly string[]): Promise<Households> {
  const ids = new Set<string>();
  const lines = new Map<string, string>();
  let productNamesLine = true;
  for (const file of files) {
    for await (const row of rowsOf(file)) {
      if (row['household_id']) ids.add(row['household_id']);
      const key = `${row['basket_id']} ${row['product_id']}`;
      const line = `${row['household_id']} ${row['quantity']} ${row['sales_value']} ${row['transaction_timestamp']}`;
      if ((lines.get(key) ?? line) !== line) productNamesLine = false;
      lines.set(key, line);
    }
  }
  return { ids: [...ids], productNamesLine };
}

/** Names in the header line. */
export async function columnsOf(file: string): Promise<string[]> {
  const records = open(file).pipe(parse({ bom: true, to: 1, relax_column_count: true }));
  for await (const record of records) return record as string[];
  return [];
}

/** Rows that can be read; what is wrong with the others is for the import to say. */
async function* rowsOf(file: string): AsyncGenerator<Row> {
  const options = { bom: true, columns: true, relax_column_count: true, skip_records_with_error: true } as const;
  for await (const row of open(file).pipe(parse(options))) yield row as Row;
}

function open(file: string): Readable {
  const raw = createReadStream(file);
  return file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
}
