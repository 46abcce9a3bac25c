import type { IdentifierKind } from '../../proto/identifier.ts';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { Keyring } from '../events/keyring.ts';
import type { LineFault } from '../inventory-lists/read-entries.ts';

/** What one upload came to. Lines that name nobody do not keep the others from being taken. */
export interface Taken {
  /** People named, each once. */
  readonly accepted: number;
  /** Lines that named somebody again. */
  readonly repeated: number;
  /** Of people of whom nothing may be stored. */
  readonly withheld: number;
  /** Lines that name nobody. */
  readonly refused: number;
  /** Of these the first hundred. */
  readonly faults: readonly LineFault[];
}

export interface EntriesTerms {
  readonly kind: IdentifierKind;
  readonly keyring: Keyring;
  /** Keys of people of whom nothing may be stored. */
  readonly refusedKeys: ReadonlySet<string>;
}

const TOLD_FAULTS = 100;

/** Takes the lines of an upload one by one. Values are keyed at once; none is kept, and no fault repeats one. */
export function createTaker({ kind, keyring, refusedKeys }: EntriesTerms) {
  const keys = new Set<string>();
  const faults: LineFault[] = [];
  const count = { repeated: 0, withheld: 0, refused: 0 };
  return {
    take: (text: string, line: number): null => {
      const value = text.trim();
      if (value === '') return null;
      const key = keyring.keyOf(kind, value);
      if (key === null) {
        count.refused++;
        const message = `is no ${kind} that names somebody`;
        if (faults.length < TOLD_FAULTS) faults.push({ pointer: '', line, code: 'no_identifier', message });
      } else if (refusedKeys.has(key)) count.withheld++;
      else if (keys.has(key)) count.repeated++;
      else keys.add(key);
      return null;
    },
    keys: keys as ReadonlySet<string>,
    taken: (): Taken => ({ accepted: keys.size, ...count, faults }),
  };
}

export interface Upload {
  readonly list: string;
  readonly source: string;
  /** Epoch ms; a later upload wins. */
  readonly version: number;
  readonly removed: 0 | 1;
}

const PART = 50_000;

export async function writeEntries(
  warehouse: Warehouse,
  keys: ReadonlySet<string>,
  keyring: Keyring,
  upload: Upload,
): Promise<void> {
  let rows: object[] = [];
  for (const entry of keys) {
    const keys = [entry, ...keyring.hashesOf(entry).map(({ key }) => key)];
    // Who was named while another pepper was the current one is taken out too.
    const names = new Set(upload.removed === 1 ? keys.flatMap((key) => [key, ...keyring.olderOf(key)]) : keys);
    for (const identifier of names) rows.push({ ...upload, identifier, entry });
    if (rows.length < PART) continue;
    await warehouse.insert('list_entries', rows);
    rows = [];
  }
  if (rows.length > 0) await warehouse.insert('list_entries', rows);
}

/** Takes out what a removal named, or what came before a version: the rows go, not only their meaning. */
export async function dropEntries(warehouse: Warehouse, list: string, before: number | null): Promise<void> {
  const gone =
    before === null
      ? 'identifier IN (SELECT identifier FROM list_entries FINAL WHERE list = {list:String} AND removed = 1)'
      : 'version < {before:UInt64}';
  await warehouse.command({
    sql: `DELETE FROM list_entries WHERE list = {list:String} AND ${gone}`,
    params: { list, before: before ?? 0 },
  });
}

/** How many people the list names, and how many of them are known. */
export async function countEntries(warehouse: Warehouse, list: string): Promise<{ size: number; matched: number }> {
  const sql = `SELECT uniqExact(entry) AS size, uniqExactIf(entry, identifier IN (SELECT identifier FROM identities FINAL
      WHERE identifier IN (SELECT identifier FROM list_entries WHERE list = {list:String}))) AS matched
    FROM list_entries FINAL WHERE list = {list:String} AND removed = 0`;
  const [row] = await warehouse.query<{ size: string; matched: string }>({ sql, params: { list } });
  return { size: Number(row?.size ?? 0), matched: Number(row?.matched ?? 0) };
}
