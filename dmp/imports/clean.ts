import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DmpDeps } from '../deps.ts';
import { importsBefore, readRecord, removeRecord } from './records.ts';

const HOUR_MS = 3600_000;
/**
 * Files that were sent hold raw identifiers. They go when they were taken; those of an import that failed or was cancelled stay for
 * as long as it may be resumed. With an hour between two cleanings nothing raw is older than a day.
 */
const FILE_HOURS = 22;
/** Imports and what became of their rows. */
const RECORD_DAYS = 30;
/** A file that was being sent when the process died: who sends one writes to it all the time. */
const PART_HOURS = 1;
const UPLOAD_PART = /^imp_[0-9a-f]{18}\.[0-9a-f]{12}\.part(\.csv)?$/;

/** Removes what is older than it is kept. May run anywhere, any time. */
export async function cleanImports(
  deps: Pick<DmpDeps, 'redis' | 'uploads' | 'jobs'>,
  now: number,
): Promise<{ files: number; records: number }> {
  const done = { files: 0, records: 0 };
  for (const id of await importsBefore(deps.redis, now - FILE_HOURS * HOUR_MS)) {
    const record = await readRecord(deps.redis, id);
    const job = record?.job == null ? null : await deps.jobs.get(record.job);
    if (job?.state === 'queued' || job?.state === 'running') continue;
    if (record !== null && (record.begunAt ?? record.createdAt) > now - FILE_HOURS * HOUR_MS) continue;
    done.files += await dropFile(deps.uploads, id);
    if (record !== null && record.createdAt >= now - RECORD_DAYS * 24 * HOUR_MS) continue;
    await rm(join(deps.uploads, `${id}.result.ndjson`), { force: true });
    await removeRecord(deps.redis, id);
    done.records++;
  }
  done.files += await cleanParts(deps.uploads, now);
  return done;
}

/** Removes the file of an import and all that was made of it, but for what became of its rows. */
export async function dropFile(uploads: string, id: string): Promise<number> {
  const names = await readdir(uploads).catch(() => []);
  const dropped = names.filter((name) => name.startsWith(`${id}.`) && name !== `${id}.result.ndjson`);
  for (const name of dropped) await rm(join(uploads, name), { force: true });
  return dropped.length;
}

async function cleanParts(folder: string, now: number): Promise<number> {
  let removed = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    if (!UPLOAD_PART.test(name)) continue;
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: now }));
    if (mtimeMs > now - PART_HOURS * HOUR_MS) continue;
    await rm(path, { force: true });
    removed++;
  }
  return removed;
}
