import type { Fault } from '../problem.ts';
import {
  compileField,
  compileRow,
  compileSign,
  type Field,
  type MappedRow,
  type Reading,
  type Records,
  readField,
} from './columns.ts';
import { LINE_TARGETS, type Target } from './targets.ts';

type Members = Readonly<Record<string, unknown>>;

/** Names are paths of members: `ticket.document.receipt`. */
export const DOCUMENTS: Records<unknown> = {
  pick: (path) => {
    const names = path.split('.');
    return (document, faults) => textOf(memberAt(document, names), path, faults);
  },
};

/** A reader of documents of one file. Without a mapping a document is an event as the API takes it. */
export function compileDocuments(reading: Reading): (document: unknown) => MappedRow {
  const { mapping } = reading.input;
  if (mapping === undefined) return (value) => ({ value: value as never, original: value as never, faults: [], does: 'take' });
  const { root = [], skip = [] } = mapping.documents ?? {};
  const read = compileRow(reading, DOCUMENTS);
  const readLines = compileLines(reading);
  return (raw) => {
    const outer = isMembers(raw) ? raw : {};
    const document = root.map((name) => memberAt(outer, name.split('.'))).find(isMembers) ?? raw;
    if (!isMembers(document)) return refused('type', 'a document is an object');
    if (document === raw && skip.some((name) => Object.hasOwn(outer, name)))
      return { ...refused('shape', ''), faults: [], does: 'skip' };
    const row = read(document);
    return readLines === null || row.does !== 'take' ? row : withLines(row, readLines(document));
  };
}

function refused(code: Fault['code'], message: string): MappedRow {
  return { value: {}, original: {}, faults: [{ pointer: '', code, message }], does: 'take' };
}

interface ReadLines {
  readonly lines: readonly Record<string, unknown>[];
  readonly faults: readonly Fault[];
}

/** The receipt's own fields, and its lines in the place of the one that a flat row would be. */
function withLines(row: MappedRow, { lines, faults }: ReadLines): MappedRow {
  const { lines: _, ...receipt } = row.value;
  const value = { ...receipt, lines };
  return {
    value,
    original: value,
    faults: [...row.faults.filter(({ pointer }) => pointer !== '/amount'), ...faults],
    does: 'take',
  };
}

/** The lines of a receipt: of each list that the mapping names, with its sign and the receipt's. */
function compileLines(reading: Reading): ((document: Members) => ReadLines) | null {
  const { mapping } = reading.input;
  const lines = mapping?.documents?.lines;
  if (mapping === undefined || lines === undefined) return null;
  const fields = Object.entries(lines.columns).map(([name, source]) =>
    compileField(name, LINE_TARGETS[name] as Target, source, DOCUMENTS, reading),
  );
  const total =
    lines.total === undefined ? null : compileField('amount', LINE_TARGETS['amount'] as Target, lines.total, DOCUMENTS, reading);
  const lists = lines.each.map(({ path, sign = 1, prefix = '' }) => ({ names: path.split('.'), sign, prefix }));
  const signOf = compileSign(mapping, DOCUMENTS);
  return (document) => {
    const faults: Fault[] = [];
    const found: Record<string, unknown>[] = [];
    // Met as the row's own fault already.
    const sign = signOf(document, []);
    for (const list of lists) {
      const items = memberAt(document, list.names);
      if (!Array.isArray(items)) continue;
      items.forEach((item, index) => {
        found.push(readLine(fields, item, `${list.prefix}${index + 1}`, sign * list.sign, `lines/${found.length}`, faults));
      });
    }
    if (found.length === 0 && total !== null) found.push(readLine([total], document, 'total', sign, 'lines/0', faults));
    return { lines: found, faults };
  };
}

function readLine(
  fields: readonly Field<unknown>[],
  item: unknown,
  name: string,
  sign: number,
  pointer: string,
  faults: Fault[],
): Record<string, unknown> {
  const line: Record<string, unknown> = { line: name };
  for (const field of fields) {
    const text = field.pick(item, faults);
    if (text === '') continue;
    const value = readField(field, text, `${pointer}/${field.name}`, faults);
    if (field.name === 'amount') line['amountMicros'] = typeof value === 'number' ? value * sign : value;
    else line[field.name] = field.name === 'quantity' && typeof value === 'number' ? value * sign : value;
  }
  if (sign === -1) line['quantity'] ??= -1;
  return line;
}

function memberAt(value: unknown, names: readonly string[]): unknown {
  let found = value;
  for (const name of names) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}

/** A member as the text that a table would have. A number beyond 2^53 has lost digits before anybody could look at it. */
function textOf(value: unknown, path: string, faults: Fault[]): string {
  switch (typeof value) {
    case 'string':
      return value.trim();
    case 'number':
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
        faults.push({
          pointer: `/${path.replaceAll('.', '/')}`,
          code: 'bad_number',
          message: 'is beyond 2^53 and has lost digits: it must be a text',
        });
        return '';
      }
      return Number.isFinite(value) ? String(value) : 'Infinity';
    case 'boolean':
      return String(value);
    default:
      return value === null || value === undefined ? '' : partText(value, path, faults);
  }
}

/** A list or object as text, whose depth nobody has bounded. */
function partText(value: unknown, path: string, faults: Fault[]): string {
  try {
    return JSON.stringify(value);
  } catch {
    faults.push({ pointer: `/${path.replaceAll('.', '/')}`, code: 'type', message: 'is nested too deeply' });
    return '';
  }
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
