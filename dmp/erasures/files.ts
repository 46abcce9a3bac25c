import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DmpDeps } from '../deps.ts';
import { dropFile } from '../imports/clean.ts';
import { ANYBODY, peopleOfFile } from '../imports/file-people.ts';
import { type ImportRecord, importsBefore, readRecord } from '../imports/records.ts';

export type FileDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'uploads' | 'jobs' | 'things' | 'pepper' | 'now'>;

/** How long a file that is being taken may hold up an erasure: it goes by itself when it is through. */
const PATIENCE_MS = 10 * 60_000;
const POLL_MS = 200;

/** Files that were sent and are still there: those of imports that wait, run, failed or were cancelled. */
async function keptFiles({ redis, uploads, now }: FileDeps): Promise<ImportRecord[]> {
  const kept: ImportRecord[] = [];
  for (const id of await importsBefore(redis, now() + 86_400_000)) {
    const record = await readRecord(redis, id);
    if (record?.file == null) continue;
    const isThere = await stat(join(uploads, record.file.name)).then(
      () => true,
      () => false,
    );
    if (isThere) kept.push(record);
  }
  return kept;
}

export interface FilesSearched {
  readonly searched: number;
  readonly found: number;
}

/** Reads every file as its import would, and counts those that name one of the people, or may in a part that cannot be read. */
export async function searchFiles(deps: FileDeps, keys: ReadonlySet<string>): Promise<FilesSearched> {
  const kept = await keptFiles(deps);
  let found = 0;
  for (const record of kept) if (await isAbout(record, keys, deps)) found++;
  return { searched: kept.length, found };
}

/**
 * Drops the files that name one of the people, or may; who wants their import sends them again without. One that is being taken is waited
 * for: nothing of a person who is being erased is taken, and with its import the file goes.
 */
export async function dropFiles(deps: FileDeps, keys: ReadonlySet<string>): Promise<number> {
  const until = performance.now() + PATIENCE_MS;
  let dropped = 0;
  for (const record of await keptFiles(deps)) {
    if (!(await isAbout(record, keys, deps))) continue;
    while (await isTaken(deps, record)) {
      if (performance.now() > until) throw new Error(`the import ${record.id} has not come to its end`);
      await sleep(POLL_MS);
    }
    await dropFile(deps.uploads, record.id);
    dropped++;
  }
  return dropped;
}

async function isTaken({ jobs }: FileDeps, { job }: ImportRecord): Promise<boolean> {
  const state = job === null ? undefined : (await jobs.get(job))?.state;
  return state === 'queued' || state === 'running';
}

async function isAbout(record: ImportRecord, keys: ReadonlySet<string>, deps: FileDeps): Promise<boolean> {
  for await (const key of peopleOfFile(record, deps)) if (key === ANYBODY || keys.has(key)) return true;
  return false;
}
