import { Readable } from 'node:stream';
import { columnsOf, openFile, type Row, rowsOf } from './csv.ts';

/** What is to be known of the purchases before they are imported. */
export interface Households {
  /** In the order of their first line. */
  readonly ids: readonly string[];
  /** Products that are on several different lines of a receipt: the texts of those lines, by receipt and product. */
  readonly repeated: ReadonlyMap<string, readonly string[]>;
}

export const LINE_COLUMN = 'walkin_line';

/**
 * Receipt and product name a line, so that a line counts once however often and in whatever file it comes. Where a receipt has a
 * product on several lines that differ, they need another name.
 */
export async function scanTransactions(files: readonly string[]): Promise<Households> {
  const ids = new Set<string>();
  const first = new Map<string, string>();
  const repeated = new Map<string, string[]>();
  for (const file of files) {
    for await (const { row } of rowsOf(file)) {
      const household = row['household_id']?.trim();
      if (household) ids.add(household);
      const key = keyOf(row);
      const content = contentOf(row);
      const known = first.get(key);
      if (known === undefined) first.set(key, content);
      else if (known !== content) {
        const contents = repeated.get(key) ?? [known];
        if (!contents.includes(content)) contents.push(content);
        repeated.set(key, contents);
      }
    }
  }
  return { ids: [...ids], repeated };
}

const keyOf = (row: Row) => `${row['basket_id']} ${row['product_id']}`;
const contentOf = (row: Row) =>
  [row['household_id'], row['quantity'], row['sales_value'], row['transaction_timestamp']].map((cell) => cell?.trim()).join(' ');

/** The file as it is, or where products are repeated with the lines' names as one more column. */
export function transactionsOf(file: string, { repeated }: Households): Readable {
  return repeated.size === 0 ? openFile(file) : Readable.from(namedLines(file, repeated));
}

async function* namedLines(file: string, repeated: Households['repeated']): AsyncGenerator<string> {
  yield `${(await columnsOf(file)).map(quoted).join(',')},${LINE_COLUMN}\n`;
  for await (const { row, text } of rowsOf(file)) {
    const place = repeated.get(keyOf(row))?.indexOf(contentOf(row)) ?? 0;
    yield `${text},${quoted(place > 0 ? `${row['product_id']} (${place + 1})` : (row['product_id'] ?? ''))}\n`;
  }
}

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
