import type { EdgeRow, TableName, Tables } from './rows.ts';

/** Rows as ClickHouse takes them fastest: tab-separated text. A table's last column says when the row came in, where it has one. */

/** Columns of each table in the order of the text; when a row came in is left out. */
export const COLUMNS: { readonly [T in TableName]: readonly (keyof Tables[T][number] & string)[] } = {
  purchases: [
    ...(['source', 'receipt', 'line', 'at', 'identifier', 'store', 'product', 'category', 'department', 'brand'] as const),
    ...(['quantity', 'amount', 'currency', 'deleted'] as const),
  ],
  pings: ['source', 'identifier', 'at', 'lat', 'lon', 'error', 'class', 'cell'],
  pages: ['source', 'id', 'identifier', 'at', 'url', 'title'],
  redemptions: ['source', 'id', 'identifier', 'at', 'coupon', 'promotion'],
  actions: ['source', 'id', 'identifier', 'at', 'name', 'store', 'item', 'value'],
  attributes: ['source', 'identifier', 'name', 'text', 'number', 'at'],
  products: ['source', 'product', 'name', 'category', 'department', 'brand', 'deleted'],
  stocks: ['source', 'store', 'product', 'at', 'quantity', 'price', 'currency', 'deleted'],
  edges: ['a', 'kind_a', 'b', 'kind_b', 'source', 'first_seen', 'confidence'],
  consents: [
    ...(['identifier', 'kind', 'purpose', 'advertiser', 'at', 'granted', 'expires', 'source'] as const),
    ...(['document', 'version', 'channel', 'actor', 'id'] as const),
  ],
  sealed: ['identifier', 'kind', 'source', 'sealed'],
  quarantine: [...(['id', 'at', 'source', 'import', 'type', 'line', 'pointer', 'value', 'code', 'message', 'original'] as const)],
};

/** The tables whose rows carry when they came in. */
const INGESTED: ReadonlySet<TableName> = new Set([
  ...(['purchases', 'pings', 'pages', 'redemptions', 'actions', 'products', 'stocks', 'edges', 'consents', 'sealed'] as const),
]);

export function columnsOf(table: TableName): readonly string[] {
  if (!INGESTED.has(table)) return COLUMNS[table];
  return [...COLUMNS[table], table === 'consents' ? 'recorded' : 'ingested'];
}

/** One line a row, without when it came in: the same rows give the same text. */
export function textOf(table: TableName, rows: readonly object[]): string {
  const columns = COLUMNS[table];
  let text = '';
  for (const row of rows as readonly Readonly<Record<string, unknown>>[]) {
    for (let i = 0; i < columns.length; i++) {
      if (i > 0) text += '\t';
      text += cellOf(row[columns[i] as string]);
    }
    text += '\n';
  }
  return text;
}

/** The text with when its rows came in. A cell holds no line end, so each one ends a row. */
export function stamped(table: TableName, text: string, now: number): string {
  return INGESTED.has(table) ? text.replaceAll('\n', `\t${secondsOf(now)}\n`) : text;
}

/** Epoch seconds as ClickHouse reads them into a DateTime64(3). */
export function secondsOf(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${seconds}.${String(ms - seconds * 1000).padStart(3, '0')}`;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function cellOf(value: unknown): string {
  if (typeof value === 'string') return TIME.test(value) ? `${value.slice(0, 10)} ${value.slice(11, 23)}` : escapeText(value);
  if (value === null) return '\\N';
  return value === undefined ? '' : String(value);
}

const SPECIAL = /[\\\t\n\r\0\b\f]/;
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\0': '\\0',
  '\b': '\\b',
  '\f': '\\f',
};

export function escapeText(text: string): string {
  if (!SPECIAL.test(text)) return text;
  return text.replace(/[\\\t\n\r\0\b\f]/g, (character) => ESCAPES[character] as string);
}

/** What tells one edge from another. */
export function edgeKey(edge: Pick<EdgeRow, 'a' | 'b' | 'source'>): string {
  return edge.a === edge.b ? `${edge.a}|${edge.source}` : `${edge.a}${edge.b}|${edge.source}`;
}
