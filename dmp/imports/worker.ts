import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Counter } from 'prom-client';
import { act } from '../consents/act.ts';
import { placelessKeys, refusedKeys } from '../consents/refused.ts';
import type { DmpDeps } from '../deps.ts';
import { dropRemovals } from '../erasures/exports.ts';
import { DEFAULT_SOURCE } from '../events/event.ts';
import { columnsOf, stamped, textOf } from '../events/text-rows.ts';
import { peppersOfSource } from '../identity/tenant.ts';
import { type JobContext, JobRefused, type JobWork } from '../jobs/jobs.ts';
import { startJobWorker } from '../jobs/queue.ts';
import { replayWork } from '../quarantine/replay-job.ts';
import { flushArrivals, noteArrivals } from '../sources/arrivals.ts';
import { termsOf } from '../sources/source.ts';
import type { Batch, FileToRead } from './batches.ts';
import { cleanImports, dropFile } from './clean.ts';
import { fetchFile } from './fetch.ts';
import { fetchObject } from './fetch-object.ts';
import { createGuard, type Guard, HERE } from './guard.ts';
import { tableOfParquet } from './parquet.ts';
import { putStores } from './put-stores.ts';
import {
  beginRecord,
  forgetProgress,
  forgetSecret,
  type ImportFile,
  type ImportRecord,
  keepDone,
  keepFile,
  keepProgress,
} from './records.ts';
import { batchesOf } from './run-thread.ts';
import { countError, cutTo, type ErrorCount, type ImportResult, resultLine, startTally, type Tally } from './tally.ts';
import { takeAwayOthers } from './whole.ts';

const imported = new Counter({
  name: 'walkin_import_rows_total',
  help: 'Rows of imported files, by what became of them',
  labelNames: ['outcome'] as const,
});

/** A part of about 10 MB of text: ClickHouse likes few large inserts. */
const BATCH_ROWS = 50_000;
const CONCURRENCY = 2;
const CLEAN_EVERY_MS = 3600_000;

/** Runs the jobs of type `import` in this process. */
export function startImportWorker(deps: DmpDeps): { close(): Promise<void> } {
  const guard = createGuard(deps.guard ?? HERE);
  const worker = startJobWorker({
    connection: deps.redis,
    queue: 'imports',
    works: { import: importWork(deps, BATCH_ROWS, guard), replay: replayWork(deps) },
    concurrency: CONCURRENCY,
    log: deps.log,
  });
  const clean = (): void => {
    void cleanImports(deps, deps.now()).catch((error: unknown) => deps.log.warn({ err: error }, 'old imports stay'));
    void dropRemovals(deps, deps.now()).catch((error: unknown) => deps.log.warn({ err: error }, 'old exports stay'));
  };
  const timer = setInterval(clean, CLEAN_EVERY_MS);
  timer.unref();
  return {
    close: async () => {
      clearInterval(timer);
      await worker.close();
      await guard.close();
    },
  };
}

export const resultPath = (uploads: string, id: string): string => join(uploads, `${id}.result.ndjson`);

/**
 * Takes an uploaded file. It may be run again at any time, also after a death in the middle: it goes on after the last batch that
 * is known to be written, rows are known by their natural keys and batches by their place in the file, so what was taken before
 * changes nothing.
 */
export function importWork(deps: DmpDeps, batchRows = BATCH_ROWS, guard = createGuard(HERE)): JobWork<'import'> {
  const take = async (id: string, context: JobContext): Promise<ImportResult> => {
    const made = await beginRecord(deps.redis, id, context.id, deps.now());
    if (made === 'missing') throw new JobRefused('not_found', `there is no import ${id}`);
    if (made === 'taken') throw new JobRefused('conflict', 'another job takes this import');
    if (made.done !== null) {
      await dropFile(deps.uploads, id);
      return made.done;
    }
    const file = made.file ?? (await fetched(made, deps, guard, context));
    const results = resultPath(deps.uploads, id);
    // Without the results of the run before there is nothing to go on from.
    const canGoOn = made.progress !== null && (await cutTo(`${results}.part`, made.progress.tally.written));
    const record = { ...made, file, progress: canGoOn ? made.progress : null };
    const tally = await startTally(results, record.progress?.tally ?? null);
    let isRefused = false;
    try {
      const result = await takeFile(record, file, tally, deps, context, batchRows);
      // It holds raw identifiers: once its rows are durable it has no use.
      await keepDone(deps.redis, id, result);
      await dropFile(deps.uploads, id);
      await context.progress({ done: file.bytes, total: file.bytes, unit: 'bytes', stage: 'done' });
      return result;
    } catch (error) {
      isRefused = error instanceof JobRefused;
      throw error;
    } finally {
      await tally.close(isRefused);
      if (isRefused) await forgetProgress(deps.redis, id);
    }
  };
  // A machine that stood still for long is given its own job again: the run before ends first, so that one writes the result.
  const running = new Map<string, Promise<unknown>>();
  return async ({ import: id }, context) => {
    const before = running.get(id);
    const run = (before ?? Promise.resolve()).catch(() => undefined).then(() => take(id, context));
    running.set(id, run);
    try {
      return await run;
    } finally {
      if (running.get(id) === run) running.delete(id);
    }
  };
}

/** The file of an import that says where it is. */
async function fetched(record: ImportRecord, deps: DmpDeps, guard: Guard, context: JobContext): Promise<ImportFile> {
  const { address } = record.input;
  if (address === undefined) throw new JobRefused('missing_file', 'the import has no file');
  await context.checkpoint();
  await context.progress({ done: 0, total: null, unit: 'bytes', stage: 'fetching the file' });
  const options = { folder: deps.uploads, id: record.id, allowInside: deps.fetchInside === true, now: deps.now };
  const file = address.url.startsWith('s3://')
    ? await fetchObject(address, { warehouse: deps.warehouse, guard, context }, { ...options, format: record.input.format })
    : await fetchFile(address, options);
  await keepFile(deps.redis, record.id, file);
  await forgetSecret(deps.redis, record);
  return file;
}

async function takeFile(
  record: ImportRecord,
  file: ImportFile,
  tally: Tally,
  deps: DmpDeps,
  context: JobContext,
  size: number,
): Promise<ImportResult> {
  const path = join(deps.uploads, file.name);
  const found = await stat(path).catch(() => null);
  if (found === null) throw new JobRefused('missing_file', 'the file is not in this server’s folder for uploads');
  if (found.size !== file.bytes) throw new JobRefused('bad_encoding', 'the file was changed since it was sent');
  const isParquet = record.input.format === 'parquet' && file.isTable !== true;
  const table = isParquet ? await tableOfParquet(deps.warehouse, path) : path;
  const source = record.input.source ?? DEFAULT_SOURCE;
  const contract = deps.things.get('source', source)?.body;
  const { timeZone: zone = 'UTC', currency = 'USD' } = contract ?? {};
  const peppers = peppersOfSource(deps, contract);
  const reading = {
    path: table,
    input: record.input,
    zone,
    ...{ pepper: peppers.own, peppers },
    now: deps.now(),
    import: record.id,
    source,
    currency,
    contract,
    vendor: deps.vendor,
    size,
  };
  // Those who say so while the file is read are known to segments and reports.
  const placeless = record.input.type === 'ping' ? await placelessKeys(deps) : undefined;
  const dry = record.input.validateOnly === true;
  const write = (batch: Batch): Promise<void> =>
    writeBatch(batch, record, file, tally, { ...deps, source, pepper: peppers.own, dry }, context);
  for (let through: number | null = record.progress?.through ?? 0; through !== null; )
    through = await takeRows({ ...reading, placeless, skip: through, refused: await refusedKeys(deps) }, write, deps, context);
  const after = await stat(path).catch(() => null);
  if (after === null || after.size !== found.size || after.mtimeMs !== found.mtimeMs)
    throw new JobRefused('bad_encoding', 'the file was changed while it was read');
  if (record.input.mode === 'whole' && !dry) {
    await context.progress({
      done: file.bytes,
      total: file.bytes,
      unit: 'bytes',
      stage: 'taking away what the file does not hold',
    });
    await takeAwayOthers(deps.warehouse, record.input.type, source, record.begunAt ?? deps.now(), deps.now());
  }
  return tally.finish();
}

/**
 * Takes the rows of a file from a place on, one batch being written while the next is read: ClickHouse works on threads of its own.
 * Returns where to go on when meanwhile more people refused or were erased, so that nothing of them comes in behind the search for
 * them; null at the end.
 */
async function takeRows(
  reading: FileToRead,
  write: (batch: Batch) => Promise<void>,
  deps: DmpDeps,
  context: JobContext,
): Promise<number | null> {
  let writing: Promise<void> = Promise.resolve();
  let through = reading.skip;
  try {
    for await (const batch of batchesOf(reading)) {
      await context.checkpoint();
      const contract = deps.things.get('source', reading.source)?.body;
      if (contract !== undefined && termsOf(contract).revoked !== null)
        throw new JobRefused('source_revoked', 'the contract of the source has ended');
      if ((await refusedKeys(deps)) !== reading.refused) return through;
      await writing;
      writing = write(batch);
      // Met where it is awaited.
      writing.catch(() => undefined);
      through = batch.through;
    }
  } finally {
    await writing;
  }
  return null;
}

/** Waits between tries of a batch, the last again and again: together as long as a ClickHouse is away when it is upgraded. */
const WAITS_MS = [500, 1_000, 2_000, 5_000, 10_000];
const PATIENCE_MS = 15 * 60_000;

/** A ClickHouse that is away ends no import: the batch is written when it is back. Writing it twice changes nothing. */
async function persistently(write: () => Promise<unknown>, { log }: DmpDeps, context: JobContext): Promise<void> {
  const began = performance.now();
  for (let tries = 0; ; tries++) {
    try {
      await write();
      return;
    } catch (error) {
      if (performance.now() - began > PATIENCE_MS) throw error;
      if (tries === 0) log.warn({ job: context.id, err: error }, 'a batch waits for ClickHouse');
      await context.checkpoint();
      await sleep(WAITS_MS[Math.min(tries, WAITS_MS.length - 1)]);
    }
  }
}

/** `pepper`: the ring of who holds the source. */
interface WriteDeps extends DmpDeps {
  readonly source: string;
  readonly dry: boolean;
}

async function writeBatch(
  batch: Batch,
  record: ImportRecord,
  file: ImportFile,
  tally: Tally,
  deps: WriteDeps,
  context: JobContext,
): Promise<void> {
  const put = await putBatchStores(batch, record, deps);
  const tables = [...batch.tables, ...put.tables];
  if (!deps.dry) {
    const write = () =>
      Promise.all(
        tables.map(({ table, columns, text }) =>
          deps.warehouse.insertText(
            table,
            columns,
            Buffer.from(text.buffer, text.byteOffset, text.byteLength),
            tokenOf(table, text, batch, record, file, deps),
          ),
        ),
      );
    await persistently(write, deps, context);
    await persistently(() => act(deps, batch.said), deps, context);
    for (const { table, rows, removed } of tables) noteArrivals(deps.warehouse, table, deps.source, rows, removed, deps.now());
    // With each batch, so that a kill loses no count of a file.
    await flushArrivals(deps.warehouse).catch(() => undefined);
  }
  const counts = {
    accepted: batch.accepted + put.accepted,
    quarantined: batch.quarantined + put.quarantined,
    skipped: batch.skipped,
  };
  await tally.add(counts, put.results === '' ? batch.results : Buffer.concat([batch.results, Buffer.from(put.results)]), [
    ...batch.errors,
    ...put.errors,
  ]);
  for (const outcome of ['accepted', 'quarantined', 'skipped'] as const) imported.inc({ outcome }, counts[outcome]);
  await keepProgress(deps.redis, record.id, { through: batch.through, tally: tally.state() });
  await context.progress({ done: batch.bytes, total: file.bytes, unit: 'bytes', stage: `${tally.rows()} rows taken` });
}

/**
 * A batch is known by the file, its place in it and the terms it was read under: the same one is not written twice. Its edges
 * are only those that this reading had not met, so they are known by themselves.
 */
function tokenOf(
  table: string,
  text: Uint8Array,
  batch: Batch,
  record: ImportRecord,
  file: ImportFile,
  { source, pepper }: WriteDeps,
): string {
  const digest = createHash('sha256').update(`${table}\n${record.id}\n`);
  if (table === 'edges' || table === 'quarantine' || table === 'consents') return digest.update(text).digest('hex');
  const place = [file.sha256, source, batch.through, batch.accepted, batch.quarantined, text.length];
  return digest.update(`${place.join('\n')}\n${createHash('sha256').update(pepper).digest('hex')}`).digest('hex');
}

interface PutBatch {
  readonly tables: Batch['tables'];
  readonly accepted: number;
  readonly quarantined: number;
  readonly results: string;
  readonly errors: readonly ErrorCount[];
}

async function putBatchStores(batch: Batch, record: ImportRecord, deps: WriteDeps): Promise<PutBatch> {
  if (batch.stores.length === 0) return { tables: [], accepted: 0, quarantined: 0, results: '', errors: [] };
  const { faults, quarantine } = await putStores(batch.stores, record, deps.source, deps, deps.dry);
  const errors = new Map<string, ErrorCount>();
  let results = '';
  batch.stores.forEach(({ line }, index) => {
    const [first] = faults[index] ?? [];
    results += resultLine(line, first);
    if (first !== undefined) countError(errors, line, first);
  });
  const text = Buffer.from(stamped('quarantine', textOf('quarantine', quarantine), deps.now()));
  return {
    tables:
      quarantine.length === 0
        ? []
        : [{ table: 'quarantine', columns: columnsOf('quarantine'), text, rows: quarantine.length, removed: 0 }],
    accepted: batch.stores.length - quarantine.length,
    quarantined: quarantine.length,
    results,
    errors: [...errors.values()],
  };
}
