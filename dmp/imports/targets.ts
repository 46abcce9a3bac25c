import { isIdentifierKind } from '../events/keyring.ts';
import { escapePointer } from '../http/validation.ts';
import type { Fault } from '../problem.ts';
import type { ImportType, ResolvedImport } from './import.ts';
import type { FieldRule, FieldSource } from './mapping.ts';

/** How the text of a CSV cell becomes a field's value. */
export type FieldKind = 'text' | 'time' | 'number' | 'integer' | 'amount' | 'boolean' | 'json';

export interface Target {
  readonly kind: FieldKind;
  readonly required: boolean;
}

const text: Target = { kind: 'text', required: false };
const needed = (kind: FieldKind): Target => ({ kind, required: true });
const maybe = (kind: FieldKind): Target => ({ kind, required: false });

const WARES = { category: text, department: text, brand: text };

/** The fields that a mapping may fill, by type of import. */
export const TARGETS: Readonly<Record<ImportType, Readonly<Record<string, Target>>>> = {
  purchase: {
    id: needed('text'),
    at: needed('time'),
    amount: needed('amount'),
    line: text,
    store: text,
    currency: text,
    product: text,
    quantity: maybe('number'),
    ...WARES,
  },
  product: { product: needed('text'), name: text, ...WARES },
  ping: {
    at: needed('time'),
    lat: needed('number'),
    lon: needed('number'),
    accuracy: maybe('number'),
    locationType: maybe('integer'),
    consent: maybe('boolean'),
  },
  identify: { at: needed('time') },
  page: { id: text, at: needed('time'), url: needed('text'), title: text },
  redemption: { id: text, at: needed('time'), coupon: needed('text'), promotion: text },
  action: { id: text, at: needed('time'), name: needed('text'), store: text, item: text, value: text },
  stock: {
    store: needed('text'),
    product: needed('text'),
    at: needed('time'),
    quantity: needed('number'),
    price: maybe('amount'),
    currency: text,
  },
  store: {
    id: needed('text'),
    name: needed('text'),
    address: needed('text'),
    lat: needed('number'),
    lon: needed('number'),
    timeZone: needed('text'),
    radius: maybe('number'),
    hours: maybe('json'),
    fence: maybe('json'),
  },
};

/** Fields of identify beside `at`: `attributes.<name>`. */
export const ATTRIBUTE = 'attributes.';

/** Consent strings, of rows about people: `privacy.<member>`. */
export const PRIVACY = 'privacy.';
const STRINGS: ReadonlySet<string> = new Set(['tcf', 'gpp', 'gppSid', 'usPrivacy'].map((name) => `${PRIVACY}${name}`));

/** Of a line of a receipt that lists them; `amount` is needed. */
export const LINE_TARGETS: Readonly<Record<string, Target>> = {
  amount: needed('amount'),
  line: text,
  product: text,
  quantity: maybe('number'),
  ...WARES,
};

/** Products, stocks and stores are nobody's facts. */
export function isAboutPeople(type: ImportType): boolean {
  return type !== 'product' && type !== 'stock' && type !== 'store';
}

/** What can be taken away by its key. */
const DELETABLE: ReadonlySet<ImportType> = new Set(['purchase', 'product', 'stock', 'identify']);
export function ruleOf(source: FieldSource): FieldRule {
  return typeof source === 'string' ? { column: source } : source;
}

export function targetOf(type: ImportType, field: string): Target | undefined {
  if (type === 'identify' && field.startsWith(ATTRIBUTE) && field.length > ATTRIBUTE.length) return text;
  if (STRINGS.has(field) && isAboutPeople(type)) return text;
  if (field === 'confidence' && isAboutPeople(type)) return { kind: 'number', required: false };
  return Object.hasOwn(TARGETS[type], field) ? TARGETS[type][field] : undefined;
}

/** What a mapping says that its import does not have, and what it leaves out. */
export function mappingFaults(input: ResolvedImport): Fault[] {
  const { mapping, type, format } = input;
  if (mapping === undefined) {
    return format === 'ndjson' ? [] : [fault('/mapping', 'missing_mapping', 'says which column is which field')];
  }
  const { documents, columns } = mapping;
  const lines = documents?.lines;
  const unknown = Object.keys(columns).filter((field) => targetOf(type, field) === undefined);
  const fields = { ...columns, ...lines?.columns };
  const missing = Object.entries(TARGETS[type]).filter(([field, target]) => target.required && !Object.hasOwn(fields, field));
  return [
    ...unknown.map((field) => fault(`/mapping/columns/${escapePointer(field)}`, 'unknown_field', `a ${type} has no such field`)),
    ...missing.map(([field]) => fault(`/mapping/columns/${field}`, 'missing_field', `a ${type} needs it`)),
    ...Object.keys(lines?.columns ?? {})
      .filter((field) => !Object.hasOwn(LINE_TARGETS, field))
      .map((field) =>
        fault(`/mapping/documents/lines/columns/${escapePointer(field)}`, 'unknown_field', 'a line has no such field'),
      ),
    ...misplaced(input),
    ...identifierFaults(input),
  ];
}

/** Parts of a mapping that its type or format has no use for. */
function misplaced({ mapping, type, format }: ResolvedImport): Fault[] {
  const faults: Fault[] = [];
  const refuse = (member: string, message: string) => faults.push(fault(`/mapping/${member}`, 'unknown_property', message));
  if (mapping?.documents !== undefined && (format === 'csv' || format === 'parquet'))
    refuse('documents', 'is for NDJSON and JSON');
  if (mapping?.documents?.lines !== undefined && type !== 'purchase') refuse('documents/lines', 'is for purchases');
  if (mapping?.header !== undefined && format !== 'csv') refuse('header', 'is for CSV');
  if (mapping?.sign !== undefined && type !== 'purchase') refuse('sign', 'is for purchases');
  if (mapping?.anonymous !== undefined && type !== 'purchase') refuse('anonymous', 'is for purchases');
  if (mapping?.segments !== undefined && type !== 'identify') refuse('segments', 'is for identify');
  if (mapping?.delete !== undefined && !DELETABLE.has(type)) refuse('delete', `a ${type} cannot be taken away`);
  return faults;
}

function identifierFaults({ mapping, type }: ResolvedImport): Fault[] {
  const identifiers = mapping?.identifiers ?? [];
  if (!isAboutPeople(type))
    return identifiers.length === 0 ? [] : [fault('/mapping/identifiers', 'unknown_field', `a ${type} is about nobody`)];
  if (identifiers.length === 0 && mapping?.anonymous !== true)
    return [fault('/mapping/identifiers', 'missing_field', `a ${type} is about somebody`)];
  return identifiers.flatMap(({ kind, os }, index) => {
    if (!isIdentifierKind(kind))
      return [fault(`/mapping/identifiers/${index}/kind`, 'unknown_identifier_kind', 'is no kind of identifier')];
    if (os !== undefined && kind !== 'ifa')
      return [fault(`/mapping/identifiers/${index}/os`, 'unknown_property', 'is for ifa: an advertising id')];
    return [];
  });
}

function fault(pointer: string, code: Fault['code'], message: string): Fault {
  return { pointer, code, message };
}
