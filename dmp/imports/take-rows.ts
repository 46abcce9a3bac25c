import { acceptEvent, type Terms } from '../events/accept.ts';
import { emptyTables, type Tables } from '../events/tables.ts';
import type { Fault } from '../problem.ts';
import { quarantineRow } from '../quarantine/row.ts';
import { allows } from '../sources/access.ts';
import { importStores, type StoreRow } from '../stores/import.ts';
import type { Things } from '../things/things.ts';
import type { FileRow } from './file-rows.ts';
import { acceptProduct } from './product.ts';
import type { ImportRecord } from './records.ts';

/** The rows of a batch by table, and what became of each. */
export interface TakenRows {
  readonly tables: Tables;
  /** One a row, in order; null where it was accepted. */
  readonly faults: readonly (readonly Fault[] | null)[];
}

export interface TakeDeps {
  readonly things: Things;
  readonly pepper: string;
}

/** Takes the rows of a batch as a stream's events are taken. Stores are written here; facts are in `tables`, to be written. */
export async function takeRows(rows: readonly FileRow[], record: ImportRecord, terms: Terms, deps: TakeDeps): Promise<TakenRows> {
  const tables = emptyTables();
  const faults =
    record.input.type === 'store'
      ? await takeStores(rows, record, deps)
      : rows.map((row) => (row.faults.length > 0 ? row.faults : acceptRow(row, record, terms, tables)));
  rows.forEach((row, index) => {
    const found = faults[index];
    if (found === null || found === undefined) return;
    const refused = {
      source: terms.source,
      import: record.id,
      type: record.input.type,
      line: row.line,
      text: row.text(),
      value: row.original,
      faults: found,
    };
    tables.quarantine.push(quarantineRow(refused, terms.keyring, deps.pepper, terms.now));
  });
  return { tables, faults };
}

function acceptRow(row: FileRow, record: ImportRecord, terms: Terms, tables: Tables): Fault[] | null {
  const { type, format } = record.input;
  if (type === 'product')
    return allows(terms.contract, { kind: type, identifierKinds: [] }) ?? acceptProduct(row.value, terms.source, tables.products);
  const event = typedEvent(row.value, type);
  if (event === null) return [{ pointer: '/type', code: 'enum', message: `must be ${type} in this import` }];
  const faults = acceptEvent(event, terms, tables);
  return faults === null || format === 'ndjson' || type !== 'purchase' ? faults : faults.map(flatFault);
}

/** The type of the import stands where a row says none. */
function typedEvent(value: unknown, type: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  if (!Object.hasOwn(value, 'type')) return { type, ...value };
  return (value as { type: unknown }).type === type ? value : null;
}

/** A CSV row of purchases is one line of its receipt: its faults name the fields that the mapping does. */
function flatFault(fault: Fault): Fault {
  return { ...fault, pointer: fault.pointer.replace(/^\/lines\/0\//, '/').replace(/^\/amountMicros$/, '/amount') };
}

async function takeStores(rows: readonly FileRow[], record: ImportRecord, deps: TakeDeps): Promise<(readonly Fault[] | null)[]> {
  const faults: (readonly Fault[] | null)[] = rows.map((row) => (row.faults.length > 0 ? row.faults : null));
  const stores: StoreRow[] = [];
  const places: number[] = [];
  rows.forEach((row, index) => {
    if (faults[index] !== null) return;
    const store = storeOf(row.value, record.input.advertiser ?? '');
    if ('faults' in store) faults[index] = store.faults;
    else places[stores.push(store) - 1] = index;
  });
  const found = await importStores(deps, stores, record.actor);
  found.forEach((faultsOfStore, at) => {
    if (faultsOfStore.length > 0) faults[places[at] as number] = faultsOfStore;
  });
  return faults;
}

function storeOf(value: unknown, advertiser: string): StoreRow | { readonly faults: readonly Fault[] } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { faults: [{ pointer: '', code: 'type', message: 'a store is an object' }] };
  const { id, ...body } = value as Record<string, unknown>;
  if (typeof id !== 'string')
    return { faults: [{ pointer: '/id', code: 'required', message: 'a file that may come again needs ids' }] };
  if (body['advertiser'] !== undefined && body['advertiser'] !== advertiser)
    return { faults: [{ pointer: '/advertiser', code: 'enum', message: `must be ${advertiser}, the advertiser of the import` }] };
  return { id, body: { ...body, advertiser } };
}
