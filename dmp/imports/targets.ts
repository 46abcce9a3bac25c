import { isIdentifierKind } from '../events/keyring.ts';
import { escapePointer } from '../http/validation.ts';
import type { Fault } from '../problem.ts';
import type { Import, ImportType } from './import.ts';

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

/** Products and stores are nobody's facts. */
export function isAboutPeople(type: ImportType): boolean {
  return type !== 'product' && type !== 'store';
}

export function targetOf(type: ImportType, field: string): Target | undefined {
  if (type === 'identify' && field.startsWith(ATTRIBUTE) && field.length > ATTRIBUTE.length) return text;
  return Object.hasOwn(TARGETS[type], field) ? TARGETS[type][field] : undefined;
}

/** What a mapping says that its import does not have, and what it leaves out. */
export function mappingFaults(input: Import): Fault[] {
  const { mapping, type } = input;
  if (input.format === 'ndjson') {
    return mapping === undefined ? [] : [fault('/mapping', 'unknown_property', 'is for CSV only: NDJSON has names of its own')];
  }
  if (mapping === undefined) return [fault('/mapping', 'missing_mapping', 'says which column is which field')];
  const unknown = Object.keys(mapping.columns).filter((field) => targetOf(type, field) === undefined);
  const missing = Object.entries(TARGETS[type]).filter(
    ([field, target]) => target.required && !Object.hasOwn(mapping.columns, field),
  );
  return [
    ...unknown.map((field) => fault(`/mapping/columns/${escapePointer(field)}`, 'unknown_field', `a ${type} has no such field`)),
    ...missing.map(([field]) => fault(`/mapping/columns/${field}`, 'missing_field', `a ${type} needs it`)),
    ...identifierFaults(input),
  ];
}

function identifierFaults({ mapping, type }: Import): Fault[] {
  const identifiers = mapping?.identifiers ?? [];
  if (!isAboutPeople(type))
    return identifiers.length === 0 ? [] : [fault('/mapping/identifiers', 'unknown_field', `a ${type} is about nobody`)];
  if (identifiers.length === 0) return [fault('/mapping/identifiers', 'missing_field', `a ${type} is about somebody`)];
  return identifiers.flatMap(({ kind }, index) =>
    isIdentifierKind(kind)
      ? []
      : [fault(`/mapping/identifiers/${index}/kind`, 'unknown_identifier_kind', 'is no kind of identifier')],
  );
}

function fault(pointer: string, code: Fault['code'], message: string): Fault {
  return { pointer, code, message };
}
