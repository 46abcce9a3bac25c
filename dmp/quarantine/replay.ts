import type { Warehouse } from '../clickhouse/warehouse.ts';
import { placelessKeys, refusedKeys } from '../consents/refused.ts';
import type { DmpDeps } from '../deps.ts';
import { createEdgeMemory } from '../events/edge-memory.ts';
import { DEFAULT_SOURCE } from '../events/event.ts';
import { createReplayRing } from '../events/keyring.ts';
import type { QuarantineRow, Tables } from '../events/rows.ts';
import { emptyTables, writeTables } from '../events/tables.ts';
import type { Terms } from '../events/terms.ts';
import { COLUMNS, escapeText } from '../events/text-rows.ts';
import { mergePatch } from '../http/merge-patch.ts';
import { peppersOfSource } from '../identity/tenant.ts';
import { cellReader } from '../imports/cell.ts';
import { shapeOf } from '../imports/columns.ts';
import type { ImportType } from '../imports/import.ts';
import { readRecord } from '../imports/records.ts';
import { takeRow } from '../imports/take-row.ts';
import { TARGETS, targetOf } from '../imports/targets.ts';
import type { Fault } from '../problem.ts';
import { namespaceOf } from '../sources/source.ts';

/** What became of one refused row that was tried again. */
export interface Replayed {
  readonly id: string;
  readonly faults: readonly Fault[] | null;
}

/**
 * Tries refused rows again, as quarantine keeps them: identifiers by their keys, times and amounts as they were written. `patch`
 * (a merge patch) mends them first; identifiers in it are raw and are keyed. What is taken is written before it is marked, so a
 * repetition after a death changes nothing. Rows that are refused again stay.
 */
export async function replayRows(rows: readonly QuarantineRow[], patch: unknown, deps: DmpDeps): Promise<Replayed[]> {
  const tables = emptyTables();
  const anonymous = await importsOfAnybody(rows, deps);
  const [refused, placeless] = [await refusedKeys(deps), await placelessKeys(deps)];
  const replayed = rows.map((row) => ({
    id: row.id,
    faults: replayRow(row, patch, { anonymous: anonymous.has(row.import), refused, placeless }, deps, tables),
  }));
  await writeTables(deps.warehouse, tables, createEdgeMemory(), deps.now());
  const taken = rows.filter((_, index) => replayed[index]?.faults === null);
  await markReplayed(deps.warehouse, taken, deps.now());
  return replayed;
}

/** The imports among the rows' whose receipts need not name anybody. */
async function importsOfAnybody(rows: readonly QuarantineRow[], { redis }: DmpDeps): Promise<ReadonlySet<string>> {
  const ids = [...new Set(rows.map((row) => row.import))].filter((id) => id !== '');
  const records = await Promise.all(ids.map((id) => readRecord(redis, id)));
  return new Set(ids.filter((_, index) => records[index]?.input.mapping?.anonymous === true));
}

function replayRow(
  row: QuarantineRow,
  patch: unknown,
  more: Pick<Terms, 'anonymous' | 'refused' | 'placeless'>,
  deps: DmpDeps,
  tables: Tables,
): readonly Fault[] | null {
  const original = readOriginal(row.original);
  if (original === null) return [fault('not_replayable', 'nothing of the row was kept that could be tried again')];
  const mended = patch === undefined ? original : mergePatch(original, patch);
  if (typeof mended !== 'object' || mended === null || Array.isArray(mended)) return [fault('type', 'a row is an object')];
  const value = mended as Record<string, unknown>;
  const type = (row.type || value['type']) as ImportType;
  if (!Object.hasOwn(TARGETS, type) || type === 'store')
    return [fault('not_replayable', 'rows of this type are sent again instead')];
  const source = row.source || DEFAULT_SOURCE;
  const contract = deps.things.get('source', source)?.body;
  const terms: Terms = {
    source,
    currency: contract?.currency ?? 'USD',
    keyring: createReplayRing(peppersOfSource(deps, contract), namespaceOf(contract)),
    now: deps.now(),
    contract,
    ...more,
  };
  const faults: Fault[] = [];
  const shaped =
    type === 'purchase' && !Object.hasOwn(value, 'lines')
      ? flatRow(type, value, contract?.timeZone ?? 'UTC', faults)
      : readTexts(type, value, contract?.timeZone ?? 'UTC', faults);
  if (faults.length > 0) return faults;
  return takeRow({ value: shaped, original: shaped, faults, does: 'take' }, { type, format: 'ndjson' }, terms, tables);
}

/** A row of a table of receipts, as it was before it became a line of one. */
function flatRow(type: ImportType, value: Record<string, unknown>, zone: string, faults: Fault[]): Record<string, unknown> {
  const { type: _, ...flat } = readTexts(type, value, zone, faults);
  return shapeOf(type, flat);
}

/** Members that a file gave as texts, in the way that files are read. */
function readTexts(type: ImportType, value: Record<string, unknown>, zone: string, faults: Fault[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      const kind = targetOf(type, name)?.kind ?? 'text';
      if (typeof member !== 'string' || kind === 'text') return [name, member];
      const read = cellReader(kind, {}, zone)(member);
      if (read === undefined)
        faults.push({
          pointer: `/${name}`,
          code: kind === 'time' ? 'bad_time' : kind === 'amount' ? 'bad_amount' : 'bad_number',
          message: `is no ${kind}`,
        });
      return [name, read];
    }),
  );
}

function readOriginal(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    // Cut at what quarantine keeps of one row.
    return null;
  }
}

function fault(code: Fault['code'], message: string): Fault {
  return { pointer: '', code, message };
}

/** The same rows once more, with when they were taken: of two of one key and time the later inserted counts. */
async function markReplayed(warehouse: Warehouse, rows: readonly QuarantineRow[], now: number): Promise<void> {
  if (rows.length === 0) return;
  const when = new Date(now).toISOString().replace('T', ' ').replace('Z', '');
  const columns = COLUMNS.quarantine;
  const text = rows.map((row) => `${columns.map((name) => escapeText(String(row[name]))).join('\t')}\t${when}\n`).join('');
  await warehouse.insertText('quarantine', [...columns, 'replayed'], Buffer.from(text), '');
}
