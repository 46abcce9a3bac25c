/** As ClickHouse reads a parameter: escaped like a cell of tab-separated text. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return escaped(value);
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (value === null || value === undefined) return '\\N';
  return literalOf(value);
}

/** Within a list. */
export function literalOf(value: unknown): string {
  if (typeof value === 'string') return `'${escaped(value)}'`;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE';
  if (value === null || value === undefined) return 'NULL';
  if (Array.isArray(value)) return `[${value.map(literalOf).join(',')}]`;
  throw new Error(`a parameter of ClickHouse cannot be of this type: ${typeof value}`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\0': '\\0',
};
const escaped = (text: string): string => text.replaceAll(/[\\'\t\n\r\0]/g, (letter) => ESCAPES[letter] as string);
