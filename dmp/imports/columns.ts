import { createHmac } from 'node:crypto';
import { oldestPepper } from '../../proto/pepper.ts';
import type { Fault } from '../problem.ts';
import { cellReader, type ReadCell, UNREADABLE } from './cell.ts';
import type { ResolvedImport } from './import.ts';
import type { FieldRule, FieldSource, Mapping } from './mapping.ts';
import { MAX_COLUMNS } from './split-csv.ts';
import { ATTRIBUTE, isAboutPeople, LINE_TARGETS, PRIVACY, ruleOf, type Target, targetOf } from './targets.ts';
import { segmentAttributes } from './xandr.ts';

/** A row as the event (or product, stock, store) that it stands for; with what could not be read of it. */
export interface MappedRow {
  readonly value: Record<string, unknown>;
  /** The same as the file has it, for quarantine. */
  readonly original: Record<string, unknown>;
  readonly faults: readonly Fault[];
  /** What the row asks for; `delete` takes away what its key names. */
  readonly does: 'take' | 'delete' | 'skip';
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

/** What a mapping is read under. */
export interface Reading {
  readonly input: ResolvedImport;
  /** Of times without one. */
  readonly zone: string;
  readonly pepper: string;
  /** Epoch ms: what `now` says in a mapping. */
  readonly now: number;
}

/** The text of a column in a record, '' where there is none. */
export type Pick<Row> = (row: Row, faults: Fault[]) => string;

export interface Field<Row> {
  readonly name: string;
  readonly target: Target;
  readonly rule: FieldRule;
  readonly pick: Pick<Row>;
  readonly read: ReadCell;
}

/** How names become texts of a kind of record. */
export interface Records<Row> {
  readonly pick: (column: string) => Pick<Row>;
}

const NO_MAPPING: Mapping = { columns: {} };
/** Of the device that an advertising id is of. */
const OS: Target = { kind: 'text', required: false };

export function compileField<Row>(
  name: string,
  target: Target,
  source: FieldSource,
  records: Records<Row>,
  reading: Reading,
): Field<Row> {
  const rule = ruleOf(source);
  const read = cellReader(target.kind, rule, reading.zone);
  const withNow: ReadCell = target.kind === 'time' ? (text) => (text === 'now' ? reading.now : read(text)) : read;
  return { name, target, rule, pick: pickOf(rule, records, reading.pepper), read: withNow };
}

function pickOf<Row>(rule: FieldRule, records: Records<Row>, pepper: string): Pick<Row> {
  const { constant = '', separator = '-' } = rule;
  const wanted = rule.join ?? rule.column ?? [];
  const picks = (typeof wanted === 'string' ? [wanted] : wanted).map((column) => records.pick(column));
  const [only] = picks;
  const plain: Pick<Row> =
    rule.join !== undefined
      ? (row, faults) => picks.map((pick) => pick(row, faults)).join(separator)
      : only === undefined
        ? () => constant
        : picks.length === 1
          ? only
          : (row, faults) => {
              for (const pick of picks) {
                const text = pick(row, faults);
                if (text !== '') return text;
              }
              return '';
            };
  const keyed: Pick<Row> =
    rule.keyed === true
      ? (row, faults) =>
          createHmac('sha256', oldestPepper(pepper))
            .update(`text\n${plain(row, faults)}`)
            .digest('hex')
            .slice(0, 32)
      : plain;
  const fallback = rule.default;
  return fallback === undefined ? keyed : (row, faults) => keyed(row, faults) || fallback;
}

/** A reader of one file's rows: where each column stands is looked up once. Throws HeaderFault before any row is read. */
export function compileColumns(reading: Reading, header: readonly string[]): (record: readonly string[]) => MappedRow {
  const records = recordsOf(reading.input.mapping ?? NO_MAPPING, header);
  const read = compileRow(reading, records);
  return (record) => {
    if (record.length === header.length) return read(record);
    const message = `has ${record.length} columns, the header has ${header.length}`;
    return { value: {}, original: {}, faults: [{ pointer: '', code: 'bad_csv', message }], does: 'take' };
  };
}

/** The columns of a CSV file, once its header fits the mapping. */
export function recordsOf(mapping: Mapping, header: readonly string[]): Records<readonly string[]> {
  const names = header.map((name) => name.trim());
  checkHeader(mapping, names);
  return {
    pick: (column) => {
      const index = names.indexOf(column);
      return (record) => (record[index] as string).trim();
    },
  };
}

function checkHeader(mapping: Mapping, names: readonly string[]): void {
  if (names.length > MAX_COLUMNS)
    throw new HeaderFault('bad_csv', `the file has ${names.length} columns, at most ${MAX_COLUMNS} are read`);
  const wanted = columnsOf(mapping);
  const list = (columns: readonly string[]) => [...new Set(columns)].map((column) => JSON.stringify(column)).join(', ');
  const missing = wanted.filter((column) => !names.includes(column));
  if (missing.length > 0) throw new HeaderFault('missing_column', `the file has no column ${list(missing)}`);
  const twice = wanted.filter((column) => names.indexOf(column) !== names.lastIndexOf(column));
  if (twice.length > 0) throw new HeaderFault('bad_csv', `the file has more than one column ${list(twice)}`);
}

/** Every column that a mapping names. */
export function columnsOf(mapping: Mapping): string[] {
  const ofRule = ({ column = [], join = [] }: FieldRule) => [...(typeof column === 'string' ? [column] : column), ...join];
  const switches = [mapping.sign, mapping.delete, mapping.only, mapping.segments].flatMap((part) =>
    part === undefined ? [] : [part.column],
  );
  return [
    ...Object.values(mapping.columns).flatMap((source) => ofRule(ruleOf(source))),
    ...(mapping.identifiers ?? []).flatMap(({ column, os }) => [column, ...(os === undefined ? [] : ofRule(ruleOf(os)))]),
    ...switches,
  ];
}

/** A reader of rows: fields, then identifiers, then the shape of the event. */
export function compileRow<Row>(reading: Reading, records: Records<Row>): (row: Row) => MappedRow {
  const { type, mapping = NO_MAPPING } = reading.input;
  const fields = Object.entries(mapping.columns).map(([name, source]) =>
    compileField(name, targetOf(type, name) as Target, source, records, reading),
  );
  const identifiers = (mapping.identifiers ?? []).map(({ kind, column, prefix = '', os }) => ({
    kind,
    prefix,
    pick: records.pick(column),
    os: os === undefined ? null : compileField('identifiers', OS, os, records, reading),
  }));
  const doesOf = compileSwitch(mapping, records);
  const signOf = compileSign(mapping, records);
  const segments = mapping.segments === undefined ? null : { ...mapping.segments, pick: records.pick(mapping.segments.column) };
  return (row) => {
    const faults: Fault[] = [];
    const does = doesOf(row, faults);
    const value: Record<string, unknown> = {};
    if (does === 'skip') return { value, original: value, faults, does };
    for (const field of fields) {
      const text = field.pick(row, faults);
      if (text !== '') value[field.name] = readField(field, text, field.name, faults);
    }
    if (isAboutPeople(type)) {
      value['identifiers'] = identifiers.flatMap(({ kind, prefix, pick, os }) => {
        const text = pick(row, faults);
        if (text === '') return [];
        const system = os === null ? '' : os.pick(row, faults);
        const said = os === null || system === '' ? {} : { os: readField(os, system, 'identifiers', faults) };
        return [{ kind, value: `${prefix}${text}`, ...said }];
      });
    }
    if (segments !== null) Object.assign(value, segmentAttributes(segments.pick(row, faults), segments.prefix, faults));
    // What is taken away needs its key only.
    if (does === 'take') signed(value, signOf(row, faults));
    const shaped = shapeOf(type, value);
    return { value: shaped, original: type === 'purchase' ? { type, ...value } : shaped, faults, does };
  };
}

function compileSwitch<Row>(
  { delete: away, only }: Mapping,
  records: Records<Row>,
): (row: Row, faults: Fault[]) => MappedRow['does'] {
  const deletes = away === undefined ? null : { pick: records.pick(away.column), values: new Set(away.values) };
  const takes = only === undefined ? null : { pick: records.pick(only.column), values: new Set(only.values) };
  if (deletes === null && takes === null) return () => 'take';
  return (row, faults) => {
    if (takes !== null && !takes.values.has(takes.pick(row, faults))) return 'skip';
    return deletes?.values.has(deletes.pick(row, faults)) === true ? 'delete' : 'take';
  };
}

export function compileSign<Row>({ sign }: Mapping, records: Records<Row>): (row: Row, faults: Fault[]) => 1 | -1 {
  if (sign === undefined) return () => 1;
  const pick = records.pick(sign.column);
  return (row, faults) => {
    const text = pick(row, faults);
    const found = Object.hasOwn(sign.values, text) ? sign.values[text] : undefined;
    if (found === undefined) faults.push({ pointer: '', code: 'unknown_operation', message: 'is neither a sale nor a refund' });
    return found ?? 1;
  };
}

/** A refund has the amounts of its sale, with the other sign. */
function signed(value: Record<string, unknown>, sign: 1 | -1): void {
  if (sign === 1) return;
  if (typeof value['amount'] === 'number') value['amount'] = -value['amount'];
  value['quantity'] = typeof value['quantity'] === 'number' ? -value['quantity'] : (value['quantity'] ?? -1);
}

/** What a text says, or the text itself beside a fault. */
export function readField<Row>(field: Field<Row>, text: string, pointer: string, faults: Fault[]): unknown {
  const wrong = ([code, message]: readonly [Fault['code'], string]): string => {
    faults.push({ pointer: `/${pointer}`, code, message });
    return text;
  };
  if (text.includes('\ufffd')) return wrong(['bad_encoding', 'holds bytes of another encoding than the file’s']);
  const { values } = field.rule;
  const said = values === undefined ? text : Object.hasOwn(values, text) ? values[text] : undefined;
  if (said === undefined) return wrong(['enum', 'is none of the values that the mapping lists']);
  return field.read(said) ?? wrong(UNREADABLE[field.target.kind]);
}

const LINE_FIELDS = Object.keys(LINE_TARGETS).filter((name) => name !== 'amount');

/** The flat fields of a row in the shape that events have. */
export function shapeOf(type: string, flat: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(flat);
  if (!entries.some(([name]) => name.startsWith(PRIVACY))) return shapeWithout(type, flat);
  const strings = entries
    .filter(([name]) => name.startsWith(PRIVACY))
    .map(([name, value]) => [name.slice(PRIVACY.length), name === GPP_SID ? sectionsOf(String(value)) : value]);
  const rest = Object.fromEntries(entries.filter(([name]) => !name.startsWith(PRIVACY)));
  return { ...shapeWithout(type, rest), privacy: Object.fromEntries(strings) };
}

const GPP_SID = `${PRIVACY}gppSid`;

/** Sections as they stand in lists: 7_8 or 7,8. */
function sectionsOf(text: string): number[] {
  return text.split(/[_,\s]+/).map(Number);
}

function shapeWithout(type: string, flat: Record<string, unknown>): Record<string, unknown> {
  switch (type) {
    case 'purchase':
      return purchaseOf(flat);
    case 'identify':
      return identifyOf(flat);
    case 'store':
      return storeOf(flat);
    case 'product':
    case 'stock':
      return flat;
    default:
      return { type, ...flat };
  }
}

/** A row is one line of its receipt; where it has no line of its own, it is known by its product. */
function purchaseOf(flat: Record<string, unknown>): Record<string, unknown> {
  const line: Record<string, unknown> = {};
  const receipt: Record<string, unknown> = { type: 'purchase' };
  for (const [name, value] of Object.entries(flat)) {
    if (name === 'amount') line['amountMicros'] = value;
    else (LINE_FIELDS.includes(name) ? line : receipt)[name] = value;
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
