import type { DmpDeps } from '../deps.ts';
import type { QuarantineRow } from '../events/rows.ts';
import type { JobWork } from '../jobs/jobs.ts';
import { replayRows } from './replay.ts';
import { type Cursor, selectRows } from './select.ts';

const PAGE = 1_000;
const MOST_ERRORS = 20;

/** Tries all rows of a filter again, newest first. It may run again at any time: what was taken is not seen by the next run. */
export function replayWork(deps: DmpDeps): JobWork<'replay'> {
  return async ({ filter, sources = null, patch }, context) => {
    const errors = new Map<string, number>();
    let cursor: Cursor | null = null;
    let rows = 0;
    let accepted = 0;
    for (;;) {
      await context.checkpoint();
      const page: QuarantineRow[] = await deps.warehouse.query<QuarantineRow>(selectRows(filter, cursor, PAGE, { sources }));
      const last = page.at(-1);
      if (last === undefined) break;
      for (const { faults } of await replayRows(page, patch, deps)) {
        rows++;
        if (faults === null) accepted++;
        const code = faults?.[0]?.code;
        if (code !== undefined) errors.set(code, (errors.get(code) ?? 0) + 1);
      }
      cursor = [last.at, last.id];
      await context.progress({ done: rows, total: null, unit: 'rows', stage: `${accepted} taken` });
    }
    const top = [...errors].sort((a, b) => b[1] - a[1]).slice(0, MOST_ERRORS);
    return { rows, accepted, quarantined: rows - accepted, errors: top.map(([code, count]) => ({ code, count })) };
  };
}
