import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DmpDeps } from '../deps.ts';
import { DEFAULT_SOURCE } from '../events/event.ts';
import { createKeyring } from '../events/keyring.ts';
import { emptyTables } from '../events/tables.ts';
import { peppersOfSource } from '../identity/tenant.ts';
import { JobRefused } from '../jobs/jobs.ts';
import type { Fault } from '../problem.ts';
import { redact } from '../quarantine/redact.ts';
import { namespaceOf } from '../sources/source.ts';
import { openRows } from './file-rows.ts';
import { openText } from './file-text.ts';
import { tableOfParquet } from './parquet.ts';
import type { ImportRecord } from './records.ts';
import { takeRow } from './take-row.ts';

/** The first rows of a file as they would be taken. Nothing is stored, and nothing personal is shown raw. */
export interface Preview {
  /** Of a table, as its first line names them. */
  readonly columns: readonly string[] | null;
  readonly rows: readonly PreviewRow[];
  /** What is wrong with the file as a whole. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

interface PreviewRow {
  readonly line: number;
  readonly status: 'accepted' | 'quarantined' | 'skipped' | 'deleted';
  /** Identifiers by their keys, as they would be kept. */
  readonly value: unknown;
  readonly errors: readonly Fault[];
}

/** @param sample the beginning of a file, cut anywhere; null: the file that was sent */
export async function previewFile(record: ImportRecord, sample: Buffer | null, rows: number, deps: DmpDeps): Promise<Preview> {
  if (sample === null) return readPreview(record, join(deps.uploads, record.file?.name ?? ''), rows, deps);
  const path = join(deps.uploads, `${record.id}.${randomBytes(6).toString('hex')}.part`);
  try {
    await writeFile(path, sample, { mode: 0o600 });
    return await readPreview(record, path, rows, deps);
  } finally {
    await rm(path, { force: true });
    await rm(`${path}.csv`, { force: true });
  }
}

async function readPreview(record: ImportRecord, path: string, most: number, deps: DmpDeps): Promise<Preview> {
  const { input } = record;
  const source = input.source ?? DEFAULT_SOURCE;
  const contract = deps.things.get('source', source)?.body;
  const peppers = peppersOfSource(deps, contract);
  const keyring = createKeyring(peppers, namespaceOf(contract));
  const terms = {
    source,
    contract,
    currency: contract?.currency ?? 'USD',
    keyring,
    now: deps.now(),
    anonymous: input.mapping?.anonymous === true,
  };
  const found: PreviewRow[] = [];
  let columns: readonly string[] | null = null;
  try {
    const isTable = record.file?.isTable === true && path.endsWith(record.file.name);
    const file = input.format === 'parquet' && !isTable ? await tableOfParquet(deps.warehouse, path) : path;
    const text = await openText(file, input.format === 'parquet' ? undefined : input.encoding);
    const opened = openRows(text, { input, zone: contract?.timeZone ?? 'UTC', pepper: peppers.own, now: record.createdAt });
    for await (const piece of opened.pieces) {
      columns = opened.columns()?.header ?? null;
      for (const raw of piece) {
        if (found.length === most) return { columns, rows: found, error: null };
        const row = opened.map(raw);
        const faults =
          row.does === 'skip' ? null : input.type === 'store' ? row.faults : takeRow(row, input, terms, emptyTables());
        const isWrong = faults !== null && faults.length > 0;
        const status = row.does === 'skip' ? 'skipped' : isWrong ? 'quarantined' : row.does === 'delete' ? 'deleted' : 'accepted';
        found.push({ line: raw.line, status, value: redact(row.original, keyring), errors: isWrong ? faults : [] });
      }
    }
    return { columns, rows: found, error: null };
  } catch (error) {
    if (!(error instanceof JobRefused)) throw error;
    // A sample is cut anywhere: what is wrong with its end says nothing once rows were read.
    return {
      columns,
      rows: found,
      error: found.length > 0 ? null : { code: error.code, message: error.message.replace(`${error.code}: `, '') },
    };
  }
}
