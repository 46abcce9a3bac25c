import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DmpDeps } from '../deps.ts';
import { importsBefore, readRecord, removeRecord } from './records.ts';

const DAY_MS = 24 * 3600_000;
/** Uploaded files hold raw identifiers: they are kept as long as an import may be resumed. */
export const FILE_DAYS = 7;
/** Imports and what became of their rows. */
export const RECORD_DAYS = 30;
/** A part of a file that nobody goes on with. */
const PART_DAYS = 8;

/** Removes what is older than it is kept. May run anywhere, any time. */
export async function cleanImports(
  deps: Pick<DmpDeps, 'redis' | 'uploads' | 'jobs'>,
  now: number,
): Promise<{ files: number; records: number }> {
  const done = { files: 0, records: 0 };
  for (const id of await importsBefore(deps.redis, now - FILE_DAYS * DAY_MS)) {
    const record = await readRecord(deps.redis, id);
    const job = record?.job == null ? null : await deps.jobs.get(record.job);
    if (job?.state === 'queued' || job?.state === 'running') continue;
    const names = await readdir(deps.uploads).catch(() => []);
    const isOld = record === null || record.createdAt < now - RECORD_DAYS * DAY_MS;
    for (const name of names.filter((one) => one.startsWith(`${id}.`))) {
      if (!isOld && name === `${id}.result.ndjson`) continue;
      await rm(join(deps.uploads, name), { force: true });
      done.files++;
    }
    if (!isOld) continue;
    await removeRecord(deps.redis, id);
    done.records++;
  }
  done.files += await cleanParts(deps.uploads, now);
  return done;
}

async function cleanParts(folder: string, now: number): Promise<number> {
  let removed = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.endsWith('.part')) continue;
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: now }));
    if (mtimeMs > now - PART_DAYS * DAY_MS) continue;
    await rm(path, { force: true });
    removed++;
  }
  return removed;
}
