import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { Fault } from '../problem.ts';
import type { FileRow } from './file-rows.ts';

/** What became of a file's rows: totals, the most frequent errors, and a result file with one line a row. */

export interface ImportResult {
  readonly rows: number;
  readonly accepted: number;
  readonly quarantined: number;
  readonly seconds: number;
  readonly errors: readonly ErrorCount[];
}

export interface ErrorCount {
  readonly code: string;
  readonly count: number;
  readonly example: { readonly line: number; readonly pointer: string; readonly message: string };
}

const MOST_ERRORS = 20;

export interface Tally {
  add(rows: readonly FileRow[], faults: readonly (readonly Fault[] | null)[]): Promise<void>;
  rows(): number;
  /** Makes the result file visible, whole. */
  finish(seconds: number): Promise<ImportResult>;
  /** Frees what it holds; without `finish` nothing is left. */
  close(): Promise<void>;
}

export async function startTally(path: string, run: string): Promise<Tally> {
  const part = `${path}.${run}.part`;
  const handle: FileHandle = await open(part, 'w', 0o600);
  const errors = new Map<string, { code: string; count: number; example: ErrorCount['example'] }>();
  let accepted = 0;
  let quarantined = 0;
  return {
    rows: () => accepted + quarantined,
    add: async (rows, faults) => {
      const lines: string[] = [];
      rows.forEach((row, index) => {
        const [first] = faults[index] ?? [];
        if (first === undefined) accepted++;
        else quarantined++;
        if (first !== undefined) countError(errors, row.line, first);
        lines.push(resultLine(row.line, first));
      });
      await handle.writeFile(`${lines.join('\n')}\n`);
    },
    finish: async (seconds) => {
      await handle.sync();
      await rename(part, path);
      const top = [...errors.values()].sort((a, b) => b.count - a.count).slice(0, MOST_ERRORS);
      return { rows: accepted + quarantined, accepted, quarantined, seconds, errors: top };
    },
    close: async () => {
      await handle.close();
      await rm(part, { force: true });
    },
  };
}

function resultLine(line: number, fault: Fault | undefined): string {
  if (fault === undefined) return `{"line":${line},"status":"accepted"}`;
  return JSON.stringify({ line, status: 'quarantined', code: fault.code, pointer: fault.pointer, message: fault.message });
}

function countError(
  errors: Map<string, { code: string; count: number; example: ErrorCount['example'] }>,
  line: number,
  fault: Fault,
): void {
  const known = errors.get(fault.code);
  if (known !== undefined) known.count++;
  else errors.set(fault.code, { code: fault.code, count: 1, example: { line, pointer: fault.pointer, message: fault.message } });
}
