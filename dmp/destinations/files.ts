import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { Sealer } from '../identity/seal.ts';
import type { Destination } from './destination.ts';
import type { Export, ExportedFile } from './exports.ts';
import { COLUMNS, codesOf, formatOf, rowOf } from './formats.ts';
import { parquetOf } from './parquet.ts';
import { readSent, type Which } from './sent.ts';
import { messagesOf } from './webhook.ts';

/** Files hold hashes of people: they are kept for as long as somebody may fetch them, and no longer. */
const KEPT_MS = 7 * 86_400_000;

export const exportsFolder = (uploads: string): string => join(uploads, 'exports');
/** Where deliveries to a folder of this machine lie until they are taken. */
export const outboxFolder = (uploads: string): string => join(uploads, 'outbox');
export const folderOf = (uploads: string, id: string): string => join(exportsFolder(uploads), id);

interface FilePlan {
  readonly segment: string | null;
  readonly operation: ExportedFile['operation'];
  readonly which: Pick<Which, 'segments' | 'what'>;
}

/** Which files an export has: those in which nobody is are not made. */
export function filesOf({ mode, segments }: Pick<Export, 'mode' | 'segments'>, files: 'segment' | 'all'): FilePlan[] {
  const replaced = mode === 'full' ? segments.filter(({ state }) => state === 'sent') : [];
  const changed = segments.filter((one) => !replaced.includes(one));
  const ids = (some: Export['segments']): string[] => some.map(({ segment }) => segment);
  if (files === 'all') {
    const whole = replaced.some(({ held }) => held > 0) || (mode === 'full' && segments.some(({ removed }) => removed > 0));
    if (whole) return [{ segment: null, operation: 'replace', which: { segments: ids(segments), what: 'whole' } }];
    const some = segments.filter(({ added, removed }) => added + removed > 0);
    return some.length === 0 ? [] : [{ segment: null, operation: 'update', which: { segments: ids(some), what: 'changed' } }];
  }
  return [
    ...replaced.map(({ segment }): FilePlan => ({ segment, operation: 'replace', which: { segments: [segment], what: 'all' } })),
    ...changed.flatMap(({ segment, added, removed }): FilePlan[] => [
      ...(added > 0 ? [{ segment, operation: 'add', which: { segments: [segment], what: 'added' } } as const] : []),
      ...(removed > 0 ? [{ segment, operation: 'remove', which: { segments: [segment], what: 'removed' } } as const] : []),
    ]),
  ];
}

interface FileDeps {
  readonly warehouse: Warehouse;
  readonly uploads: string;
}

/** Writes the files of an export, each whole or not at all. Made again they are the same. */
export async function writeFiles(
  deps: FileDeps,
  sealer: Sealer,
  destination: Destination,
  record: Export,
): Promise<ExportedFile[]> {
  const folder = folderOf(deps.uploads, record.id);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return destination.kind === 'webhook'
    ? writeMessages(deps, sealer, destination, record)
    : writeTables(deps, sealer, destination, record);
}

async function writeTables(deps: FileDeps, sealer: Sealer, destination: Destination, record: Export): Promise<ExportedFile[]> {
  const format = formatOf(destination);
  const files: ExportedFile[] = [];
  for (const { segment, operation, which } of filesOf(record, format.files)) {
    const parts = [record.destination, record.number, segment, operation].filter((part) => part !== null);
    const name = `${parts.join('.')}.${format.extension}`;
    const counts = { rows: 0, identifiers: 0, skipped: 0 };
    const asked = { destination: record.destination, number: record.number, by: format.by, ...which };
    const lines = async function* (): AsyncGenerator<string> {
      yield format.header;
      for await (const sent of readSent(deps.warehouse, sealer, asked)) {
        const { text, ...taken } = format.lines(sent);
        counts.rows += taken.rows;
        counts.identifiers += taken.identifiers;
        counts.skipped += taken.skipped;
        yield text;
      }
    };
    const codes = codesOf(destination.segments);
    const rows = async function* (): AsyncGenerator<string[][]> {
      for await (const sent of readSent(deps.warehouse, sealer, asked)) {
        counts.rows += sent.length;
        counts.identifiers += sent.length;
        yield sent.map((one) => rowOf(one, codes));
      }
    };
    const content = destination.kind === 'parquet' ? parquetOf(COLUMNS, rows()) : lines();
    const written = await writeFile(join(folderOf(deps.uploads, record.id), name), content);
    files.push({ name, segment, operation, ...counts, ...written });
  }
  return files;
}

/** The messages of a webhook, one a line: what was sent can be sent again although the ledger has forgotten who is gone. */
async function writeMessages(deps: FileDeps, sealer: Sealer, destination: Destination, record: Export): Promise<ExportedFile[]> {
  const name = `${record.destination}.${record.number}.messages.ndjson`;
  const counts = { rows: 0, identifiers: 0, skipped: 0 };
  const lines = async function* (): AsyncGenerator<string> {
    for await (const { id, body, identifiers } of messagesOf(deps.warehouse, sealer, destination, record)) {
      counts.rows++;
      counts.identifiers += identifiers;
      yield `${JSON.stringify({ id, body })}\n`;
    }
  };
  const written = await writeFile(join(folderOf(deps.uploads, record.id), name), lines());
  return counts.rows === 0 ? [] : [{ name, segment: null, operation: 'update', ...counts, ...written }];
}

async function writeFile(
  path: string,
  texts: AsyncIterable<string | Buffer>,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const handle = await open(`${path}.part`, 'w', 0o600);
  try {
    for await (const text of texts) {
      const chunk = typeof text === 'string' ? Buffer.from(text) : text;
      bytes += chunk.length;
      hash.update(chunk);
      if (chunk.length > 0) await handle.writeFile(chunk);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.part`, path);
  return { bytes, sha256: hash.digest('hex') };
}

/** Whether all files of the export are still there. */
export async function areThere(uploads: string, { id, files }: Pick<Export, 'id' | 'files'>): Promise<boolean> {
  for (const { name, bytes } of files) {
    const found = await stat(join(folderOf(uploads, id), name)).catch(() => null);
    if (found === null || found.size !== bytes) return false;
  }
  return true;
}

/** Deletes files whose time is over. */
export async function cleanFiles(uploads: string, now: number): Promise<void> {
  for (const id of await readdir(exportsFolder(uploads)).catch(() => [])) {
    const folder = folderOf(uploads, id);
    const made = await stat(folder).catch(() => null);
    if (made !== null && now - made.mtimeMs > KEPT_MS) await rm(folder, { recursive: true, force: true });
  }
}
