import { type FileHandle, open, rename, rm, truncate } from 'node:fs/promises';
import type { Fault } from '../problem.ts';

/** What became of a file's rows: totals, the most frequent errors, and a result file with one line a row. */

export interface ImportResult {
  readonly rows: number;
  readonly accepted: number;
  readonly quarantined: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly errors: readonly ErrorCount[];
}

export interface ErrorCount {
  readonly code: string;
  readonly count: number;
  readonly example: { readonly line: number; readonly pointer: string; readonly message: string };
}

export interface Counts {
  readonly accepted: number;
  readonly quarantined: number;
  readonly skipped: number;
}

/** How far an import has come: kept, so that one that is broken off goes on from there. */
export interface TallyState extends Counts {
  /** Bytes of the result file. */
  readonly written: number;
  readonly errors: readonly ErrorCount[];
  readonly seconds: number;
}

const MOST_ERRORS = 20;
const MOST_KEPT = 1_000;

export interface Tally {
  add(counts: Counts, results: Uint8Array, errors: readonly ErrorCount[]): Promise<void>;
  rows(): number;
  /** What is told at a moment when all that was added is in the file. */
  state(): TallyState;
  /** Makes the result file visible, whole. */
  finish(): Promise<ImportResult>;
  /** Leaves what was written for who goes on; `discard`: nothing of it. */
  close(discard: boolean): Promise<void>;
}

/** Begins a result file, or goes on with the one of a run before, which is cut to what that run said of it. */
export async function startTally(path: string, before: TallyState | null): Promise<Tally> {
  const part = `${path}.part`;
  const handle: FileHandle = await open(part, before === null ? 'w' : 'a', 0o600);
  const began = performance.now();
  const errors = new Map<string, ErrorCount>((before?.errors ?? []).map((error) => [error.code, error]));
  let accepted = before?.accepted ?? 0;
  let quarantined = before?.quarantined ?? 0;
  let skipped = before?.skipped ?? 0;
  let written = before?.written ?? 0;
  const seconds = (): number => Number(((before?.seconds ?? 0) + (performance.now() - began) / 1000).toFixed(3));
  const top = (most: number) => [...errors.values()].sort((a, b) => b.count - a.count).slice(0, most);
  return {
    rows: () => accepted + quarantined + skipped,
    add: async (counts, results, found) => {
      await handle.writeFile(results);
      accepted += counts.accepted;
      quarantined += counts.quarantined;
      skipped += counts.skipped;
      written += results.length;
      for (const error of found) mergeError(errors, error);
    },
    state: () => ({ accepted, quarantined, skipped, written, errors: top(MOST_KEPT), seconds: seconds() }),
    finish: async () => {
      await handle.sync();
      await rename(part, path);
      return {
        rows: accepted + quarantined + skipped,
        accepted,
        quarantined,
        skipped,
        seconds: seconds(),
        errors: top(MOST_ERRORS),
      };
    },
    close: async (discard) => {
      await handle.close();
      if (discard) await rm(part, { force: true });
    },
  };
}

/** Whether the file has that many bytes; what is more was written by a run that did not come to say so. */
export async function cutTo(path: string, bytes: number): Promise<boolean> {
  try {
    const handle = await open(path, 'r+');
    try {
      if ((await handle.stat()).size < bytes) return false;
    } finally {
      await handle.close();
    }
    await truncate(path, bytes);
    return true;
  } catch {
    return false;
  }
}

export function resultLine(line: number, fault: Fault | undefined): string {
  if (fault === undefined) return `{"line":${line},"status":"accepted"}\n`;
  return `${JSON.stringify({ line, status: 'quarantined', code: fault.code, pointer: fault.pointer, message: fault.message })}\n`;
}

export function countError(errors: Map<string, ErrorCount>, line: number, fault: Fault): void {
  const example = { line, pointer: fault.pointer, message: fault.message };
  mergeError(errors, { code: fault.code, count: 1, example });
}

function mergeError(errors: Map<string, ErrorCount>, error: ErrorCount): void {
  const known = errors.get(error.code);
  errors.set(error.code, known === undefined ? error : { ...known, count: known.count + error.count });
}
