import { acceptEvent } from '../events/accept.ts';
import { keyAll } from '../events/keyring.ts';
import type { Tables } from '../events/rows.ts';
import type { Terms } from '../events/terms.ts';
import type { Fault } from '../problem.ts';
import { allows } from '../sources/access.ts';
import type { MappedRow } from './columns.ts';
import type { ResolvedImport } from './import.ts';
import { acceptProduct } from './product.ts';
import { acceptStock } from './stock.ts';

/** Takes one row as a stream's event is taken: its rows are added to `tables`, or its faults are returned. */
export function takeRow(row: MappedRow, input: ResolvedImport, terms: Terms, tables: Tables): readonly Fault[] | null {
  if (row.does === 'delete') return takeAway(row, input, terms, tables);
  if (row.faults.length > 0) return row.faults.map(input.mapping?.documents?.lines === undefined ? flatFault : same);
  const { type, format } = input;
  if (type === 'product' || type === 'stock') {
    const faults = allows(terms.contract, { kind: type, identifierKinds: [] });
    if (faults !== null) return faults;
  }
  if (type === 'product') return acceptProduct(row.value, terms.source, tables.products);
  if (type === 'stock') return acceptStock(row.value, terms, tables.stocks);
  const event = typedEvent(row.value, type);
  if (event === null) return [{ pointer: '/type', code: 'enum', message: `must be ${type} in this import` }];
  const faults = acceptEvent(event, terms, tables);
  const isFlat = format === 'csv' || format === 'parquet';
  return faults === null || !isFlat || type !== 'purchase' ? faults : faults.map(flatFault);
}

const same = (fault: Fault): Fault => fault;

/** The type of the import stands where a row says none. */
function typedEvent(value: unknown, type: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  if (!Object.hasOwn(value, 'type')) return { type, ...value };
  return (value as { type: unknown }).type === type ? value : null;
}

/** A row of purchases is one line of its receipt: its faults name the fields that the mapping does. */
function flatFault(fault: Fault): Fault {
  return { ...fault, pointer: fault.pointer.replace(/^\/lines\/0\//, '/').replace(/^\/amountMicros$/, '/amount') };
}

const BLANK = { category: '', department: '', brand: '' };
const NOBODY = '00000000-0000-0000-0000-000000000000';

/** A row that says that another is to go: it replaces it by its key and is not seen itself. */
function takeAway({ value }: MappedRow, { type }: ResolvedImport, terms: Terms, tables: Tables): Fault[] | null {
  const { source, now } = terms;
  const at = new Date(now).toISOString();
  const text = (name: string): string => (typeof value[name] === 'string' ? (value[name] as string) : '');
  const missing = (name: string): Fault[] => [
    { pointer: `/${name}`, code: 'required', message: 'is missing: it is the key of what is to go' },
  ];
  switch (type) {
    case 'product':
      if (text('product') === '') return missing('product');
      tables.products.push({ source, product: text('product'), name: '', ...BLANK, deleted: 1 });
      return null;
    case 'stock':
      if (text('product') === '' || text('store') === '') return missing(text('store') === '' ? 'store' : 'product');
      tables.stocks.push({
        source,
        store: text('store'),
        product: text('product'),
        at,
        quantity: '0',
        price: null,
        currency: '',
        deleted: 1,
      });
      return null;
    case 'purchase': {
      if (text('id') === '') return missing('id');
      const lines = value['lines'] as readonly { line?: unknown }[] | undefined;
      for (const line of lines ?? []) {
        const shared = { source, receipt: text('id'), at, identifier: NOBODY, store: '', product: '', ...BLANK };
        tables.purchases.push({ ...shared, line: String(line.line ?? '1'), quantity: '0', amount: 0, currency: '', deleted: 1 });
      }
      return null;
    }
    default:
      return forgetAttributes(value, terms, tables, at);
  }
}

/** An attribute that is gone is one without a value, newer than the one it had. */
function forgetAttributes(
  value: Record<string, unknown>,
  { source, keyring }: Terms,
  tables: Tables,
  at: string,
): Fault[] | null {
  const [first] = keyAll((value['identifiers'] as never) ?? [], keyring);
  if (first === undefined) return [{ pointer: '/identifiers', code: 'no_identifier', message: 'none of them names anybody' }];
  const identifier = keyring.lastingOf(first.key);
  for (const name of Object.keys((value['attributes'] as object | undefined) ?? {}))
    tables.attributes.push({ source, identifier, name, text: '', number: null, at });
  return null;
}
