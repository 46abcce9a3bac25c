import { parseMicros } from '../../proto/money.ts';
import { parseTimeIn } from '../events/time.ts';
import type { Fault } from '../problem.ts';
import type { FieldSource, ImportType, Mapping } from './import.ts';
import { ATTRIBUTE, type FieldKind, isAboutPeople, type Target, targetOf } from './targets.ts';

/** A CSV row as the event (or product, or store) that it stands for; with what could not be read of it. */
export interface MappedRow {
  readonly value: Record<string, unknown>;
  /** The same as the file has it, for quarantine. */
  readonly original: Record<string, unknown>;
  readonly faults: readonly Fault[];
}

/** The mapping does not fit the file. */
export class HeaderFault extends Error {
  override readonly name = 'HeaderFault';
  readonly code: 'missing_column' | 'bad_csv';
  constructor(code: 'missing_column' | 'bad_csv', message: string) {
    super(message);
    this.code = code;
  }
}

interface Field {
  readonly name: string;
  readonly target: Target;
  /** Where the column stands, or -1 for a constant. */
  readonly index: number;
  readonly constant: string;
}

/** A reader of one file's rows: where each column stands is looked up once. Throws HeaderFault before any row is read. */
export function compileColumns(
  type: ImportType,
  mapping: Mapping,
  header: readonly string[],
  zone: string,
): (record: readonly string[]) => MappedRow {
  const names = header.map((name) => name.trim());
  checkHeader(mapping, names);
  const fields = Object.entries(mapping.columns).map(([name, source]) => fieldOf(type, name, source, names));
  const identifiers = (mapping.identifiers ?? []).map(({ kind, column }) => ({ kind, index: names.indexOf(column) }));
  return (record) => {
    const faults: Fault[] = [];
    if (record.length !== header.length) {
      const message = `has ${record.length} columns, the header has ${header.length}`;
      return { value: {}, original: {}, faults: [{ pointer: '', code: 'bad_csv', message }] };
    }
    const value: Record<string, unknown> = {};
    for (const field of fields) {
      const text = field.index === -1 ? field.constant : (record[field.index] as string).trim();
      if (text !== '') value[field.name] = readCell(field, text, zone, faults);
    }
    if (isAboutPeople(type)) {
      value['identifiers'] = identifiers.flatMap(({ kind, index }) => {
        const text = (record[index] as string).trim();
        return text === '' ? [] : [{ kind, value: text }];
      });
    }
    const shaped = shapeOf(type, value);
    return { value: shaped, original: type === 'purchase' ? { type, ...value } : shaped, faults };
  };
}

function checkHeader(mapping: Mapping, names: readonly string[]): void {
  const wanted = [
    ...Object.values(mapping.columns).map(columnOf),
    ...(mapping.identifiers ?? []).map(({ column }) => column),
  ].filter((column) => column !== null);
  const list = (columns: readonly string[]) => [...new Set(columns)].map((column) => JSON.stringify(column)).join(', ');
  const missing = wanted.filter((column) => !names.includes(column));
  if (missing.length > 0) throw new HeaderFault('missing_column', `the file has no column ${list(missing)}`);
  const twice = wanted.filter((column) => names.indexOf(column) !== names.lastIndexOf(column));
  if (twice.length > 0) throw new HeaderFault('bad_csv', `the file has more than one column ${list(twice)}`);
}

function columnOf(source: FieldSource): string | null {
  if (typeof source === 'string') return source;
  return 'column' in source ? source.column : null;
}

function fieldOf(type: ImportType, name: string, source: FieldSource, names: readonly string[]): Field {
  const column = columnOf(source);
  const constant = typeof source === 'object' && 'constant' in source ? source.constant : '';
  return { name, target: targetOf(type, name) as Target, index: column === null ? -1 : names.indexOf(column), constant };
}

/** What a cell says, or the text itself beside a fault. */
function readCell(field: Field, text: string, zone: string, faults: Fault[]): unknown {
  const { kind } = field.target;
  if (text.includes('\ufffd')) return wrong(field, text, 'bad_encoding', 'is not UTF-8', faults);
  switch (kind) {
    case 'text':
      return text;
    case 'time':
      return readTime(text, zone) ?? wrong(field, text, 'bad_time', 'is not a date or time', faults);
    case 'amount':
      return readAmount(text) ?? wrong(field, text, 'bad_amount', 'is not a decimal number', faults);
    case 'number':
    case 'integer':
      return readNumber(text, kind) ?? wrong(field, text, 'bad_number', 'is not a number', faults);
    case 'boolean':
      return BOOLEANS[text.toLowerCase()] ?? wrong(field, text, 'enum', 'is none of true, false, yes, no, 1, 0', faults);
    case 'json':
      return readJson(text) ?? wrong(field, text, 'not_json', 'is not JSON', faults);
  }
}

const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, yes: true, '1': true, false: false, no: false, '0': false };
const NUMBER: Readonly<Record<'number' | 'integer', RegExp>> = {
  number: /^[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})([eE][+-]?\d{1,2})?$/,
  integer: /^[+-]?\d{1,15}$/,
};
const EPOCH_MS = /^\d{12,13}$/;

/** A number as floats are printed when they are tiny: real till data holds 4.440892e-16 where it means nothing. */
const SCIENTIFIC = /^[+-]?\d{1,9}(\.\d{1,20})?[eE]-\d{1,2}$/;

function readAmount(text: string): number | null {
  return parseMicros(SCIENTIFIC.test(text) ? Number(text).toFixed(20) : text);
}

function readTime(text: string, zone: string): number | null {
  return EPOCH_MS.test(text) ? Number(text) : parseTimeIn(zone, text);
}

function readNumber(text: string, kind: FieldKind & ('number' | 'integer')): number | null {
  return NUMBER[kind].test(text) ? Number(text) : null;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function wrong(field: Field, text: string, code: Fault['code'], message: string, faults: Fault[]): string {
  faults.push({ pointer: `/${field.name}`, code, message });
  return text;
}

const LINE_FIELDS = ['line', 'product', 'category', 'department', 'brand', 'quantity'] as const;

/** The flat fields of a row in the shape that events have. */
function shapeOf(type: ImportType, flat: Record<string, unknown>): Record<string, unknown> {
  if (type === 'purchase') return purchaseOf(flat);
  if (type === 'identify') return identifyOf(flat);
  if (type === 'store') return storeOf(flat);
  return type === 'product' ? flat : { type, ...flat };
}

/** A row is one line of its receipt; where it has no line of its own, it is known by its product. */
function purchaseOf(flat: Record<string, unknown>): Record<string, unknown> {
  const line: Record<string, unknown> = {};
  const receipt: Record<string, unknown> = { type: 'purchase' };
  for (const [name, value] of Object.entries(flat)) {
    if (name === 'amount') line['amountMicros'] = value;
    else (LINE_FIELDS.includes(name as never) ? line : receipt)[name] = value;
  }
  line['line'] ??= line['product'] ?? '1';
  return { ...receipt, lines: [line] };
}

function identifyOf(flat: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(flat);
  const own = entries.filter(([name]) => !name.startsWith(ATTRIBUTE));
  const attributes = entries
    .filter(([name]) => name.startsWith(ATTRIBUTE))
    .map(([name, value]) => [name.slice(ATTRIBUTE.length), value]);
  return {
    type: 'identify',
    ...Object.fromEntries(own),
    ...(attributes.length === 0 ? {} : { attributes: Object.fromEntries(attributes) }),
  };
}

function storeOf(flat: Record<string, unknown>): Record<string, unknown> {
  const { radius, ...store } = flat;
  return radius === undefined || store['fence'] !== undefined ? store : { ...store, fence: { type: 'circle', radius } };
}
