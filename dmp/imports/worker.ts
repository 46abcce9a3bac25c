import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Counter } from 'prom-client';
import type { DmpDeps } from '../deps.ts';
import { createEdgeMemory } from '../events/edge-memory.ts';
import { DEFAULT_SOURCE } from '../events/event.ts';
import { createKeyring } from '../events/keyring.ts';
import { writeTables } from '../events/tables.ts';
import { type JobContext, JobRefused, type JobWork } from '../jobs/jobs.ts';
import { startJobWorker } from '../jobs/queue.ts';
import { openFile } from './file-rows.ts';
import { beginRecord, type ImportFile, type ImportRecord } from './records.ts';
import { takeRows } from './take-rows.ts';
import { type ImportResult, startTally, type Tally } from './tally.ts';

const imported = new Counter({
  name: 'walkin_import_rows_total',
  help: 'Rows of imported files, by what became of them',
  labelNames: ['outcome'] as const,
});

const BATCH_ROWS = 10_000;
const CONCURRENCY = 2;

/** Runs the jobs of type `import` in this process. */
export function startImportWorker(deps: DmpDeps): { close(): Promise<void> } {
  return startJobWorker({
    connection: deps.redis,
    queue: 'imports',
    works: { import: importWork(deps) },
    concurrency: CONCURRENCY,
    log: deps.log,
  });
}

export const resultPath = (uploads: string, id: string): string => join(uploads, `${id}.result.ndjson`);

/**
 * Takes an uploaded file. It may be run again at any time, also after a death in the middle: rows are known by their natural
 * keys and batches by their content, so what was taken before changes nothing.
 */
export function importWork(deps: DmpDeps): JobWork<'import'> {
  return async ({ import: id }, context) => {
    const record = await beginRecord(deps.redis, id);
    if (record === null) throw new JobRefused('not_found', `there is no import ${id}`);
    if (record.file === null) throw new JobRefused('missing_file', 'the import has no file');
    const tally = await startTally(resultPath(deps.uploads, id), randomBytes(6).toString('hex'));
    try {
      return await takeFile(record, record.file, tally, deps, context);
    } finally {
      await tally.close();
    }
  };
}

async function takeFile(
  record: ImportRecord,
  file: ImportFile,
  tally: Tally,
  deps: DmpDeps,
  context: JobContext,
): Promise<ImportResult> {
  const started = performance.now();
  const path = join(deps.uploads, file.name);
  await stat(path).catch(() => {
    throw new JobRefused('missing_file', 'the file is not in this server’s folder for uploads');
  });
  const source = record.input.source ?? DEFAULT_SOURCE;
  const { timeZone = 'UTC', currency = 'USD' } = deps.things.get('source', source)?.body ?? {};
  const opened = await openFile(path, record.input, timeZone);
  const edges = createEdgeMemory();
  // One batch is written while the next is read: ClickHouse works on a thread of its own.
  let writing = Promise.resolve();
  try {
    for await (const rows of opened.batches(BATCH_ROWS)) {
      await context.checkpoint();
      const contract = deps.things.get('source', source)?.body;
      const terms = { source, currency, contract, keyring: createKeyring(deps.pepper), now: deps.now() };
      const { tables, faults } = await takeRows(rows, record, terms, deps);
      const done = opened.bytesRead();
      await writing;
      writing = (async () => {
        await writeTables(deps.warehouse, tables, edges, deps.now());
        await tally.add(rows, faults);
        imported.inc({ outcome: 'quarantined' }, tables.quarantine.length);
        imported.inc({ outcome: 'accepted' }, rows.length - tables.quarantine.length);
        await context.progress({ done, total: file.bytes, unit: 'bytes', stage: `${tally.rows()} rows taken` });
      })();
      // Met where it is awaited.
      writing.catch(() => undefined);
    }
  } finally {
    await writing;
  }
  return tally.finish(Number(((performance.now() - started) / 1000).toFixed(3)));
}
