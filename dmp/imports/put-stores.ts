import { createKeyring } from '../events/keyring.ts';
import type { QuarantineRow } from '../events/rows.ts';
import type { Fault } from '../problem.ts';
import { quarantineRow } from '../quarantine/row.ts';
import { importStores, type StoreRow } from '../stores/import.ts';
import type { Things } from '../things/things.ts';
import type { StoreToPut } from './batches.ts';
import type { ImportRecord } from './records.ts';

export interface StoreDeps {
  readonly things: Things;
  readonly pepper: string;
  readonly now: () => number;
}

export interface PutStores {
  /** One a store, in order; null where it was put. */
  readonly faults: readonly (readonly Fault[] | null)[];
  readonly quarantine: readonly QuarantineRow[];
}

/** Puts the stores of a batch as the API does; `dry`: only checks what can be checked of one alone. */
export async function putStores(
  rows: readonly StoreToPut[],
  record: ImportRecord,
  source: string,
  deps: StoreDeps,
  dry: boolean,
): Promise<PutStores> {
  const faults: (readonly Fault[] | null)[] = rows.map((row) => (row.faults.length > 0 ? row.faults : null));
  const stores: StoreRow[] = [];
  const places: number[] = [];
  rows.forEach((row, index) => {
    if (faults[index] !== null) return;
    const store = storeOf(row.value, record.input.advertiser ?? '');
    if ('faults' in store) faults[index] = store.faults;
    else places[stores.push(store) - 1] = index;
  });
  const found = dry ? [] : await importStores(deps, stores, record.actor);
  found.forEach((faultsOfStore, at) => {
    if (faultsOfStore.length > 0) faults[places[at] as number] = faultsOfStore;
  });
  const keyring = createKeyring(deps.pepper);
  const quarantine = rows.flatMap((row, index) => {
    const wrong = faults[index];
    if (wrong === null || wrong === undefined) return [];
    const { line, text, original } = row;
    return [
      quarantineRow(
        { source, import: record.id, type: 'store', line, text, value: original, faults: wrong },
        keyring,
        deps.pepper,
        deps.now(),
      ),
    ];
  });
  return { faults, quarantine };
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
