import type { DmpDeps } from '../deps.ts';
import { startJobWorker } from '../jobs/queue.ts';
import { lastRuns } from '../segments/runs.ts';
import { type Export, lastDelivered, listExports } from './exports.ts';
import { cleanFiles } from './files.ts';
import { forgetAllRemoved } from './ledger.ts';
import { queueExport } from './queue-export.ts';
import { exportWork } from './run.ts';

const TICK_MS = 30_000;
const DAY_MS = 86_400_000;
/** An address that was away for all tries is asked again so much later, since somebody may have to be removed there. */
const AFTER_DEATH_MS = 3_600_000;
const TICK_KEY = 'walkin:exports:tick';
const FORGET_KEY = 'walkin:exports:forget';
const DAY_S = 86_400;
const ACTOR = 'schedule';

/** Runs exports in this process, and asks for those that are due. */
export function startExports(deps: DmpDeps): { close(): Promise<void> } {
  const worker = startJobWorker({
    ...{ connection: deps.redis, queue: 'exports', works: { export: exportWork(deps) }, concurrency: 1, log: deps.log },
  });
  const tick = async (): Promise<void> => {
    // One of all processes.
    if ((await deps.redis.set(TICK_KEY, '1', 'PX', TICK_MS - 1_000, 'NX')) !== 'OK') return;
    await queueDue(deps);
    await cleanFiles(deps.uploads, deps.now());
    if ((await deps.redis.set(FORGET_KEY, '1', 'EX', DAY_S, 'NX')) === 'OK')
      await forgetAllRemoved(deps.warehouse, (destination) => lastDelivered(deps.warehouse, destination));
  };
  const timer = setInterval(() => void tick().catch((error: unknown) => deps.log.warn({ err: error }, 'exports wait')), TICK_MS);
  timer.unref();
  return {
    close: async () => {
      clearInterval(timer);
      await worker.close();
    },
  };
}

/** Asks for the exports that are due, and returns their ids. */
export async function queueDue(deps: DmpDeps): Promise<string[]> {
  const { warehouse, things } = deps;
  const scheduled = things.list('destination').filter(({ body }) => body.schedule !== 'manual' && body.kind !== 'lookup');
  if (scheduled.length === 0) return [];
  const withdrawn = await lastWithdrawal(deps);
  const asked: string[] = [];
  for (const { id, body, updatedAt } of scheduled) {
    const [last] = await listExports(warehouse, id, 1);
    if (last !== undefined && (last.state === 'queued' || last.state === 'failed')) continue;
    const made = last === undefined ? 0 : Date.parse(last.createdAt);
    if (last?.state === 'dead' && deps.now() - made < AFTER_DEATH_MS) continue;
    const isDue =
      withdrawn > made ||
      updatedAt > made ||
      (body.schedule === 'daily' ? deps.now() - made >= DAY_MS : await hasNewRuns(deps, body.segments, last));
    if (isDue && !(await isEmpty(deps, id, body.segments.length))) asked.push((await queueExport(deps, id, ACTOR)).id);
  }
  return asked;
}

/** Nothing to send, and nothing there to take back. */
async function isEmpty({ warehouse }: DmpDeps, id: string, segments: number): Promise<boolean> {
  return segments === 0 && (await lastDelivered(warehouse, id)) === 0;
}

async function hasNewRuns(
  { warehouse }: DmpDeps,
  segments: readonly { readonly segment: string }[],
  last: Export | undefined,
): Promise<boolean> {
  const runs = await lastRuns(
    warehouse,
    segments.map(({ segment }) => segment),
  );
  const versions = new Map(last?.segments.map(({ segment, version }) => [segment, version]));
  return [...runs].some(([segment, { version }]) => version > (versions.get(segment) ?? 0));
}

/** When somebody withdrew, opted out or was erased last, epoch ms. */
async function lastWithdrawal({ warehouse }: DmpDeps): Promise<number> {
  const at = (column: string, from: string): string => `(SELECT toFloat64(toUnixTimestamp64Milli(max(${column}))) FROM ${from})`;
  const sql = `SELECT greatest(${at('at', 'opt_outs')}, ${at('at', 'erased')}, ${at('recorded', 'consents')}) AS at`;
  const [row] = await warehouse.query<{ at: number }>({ sql });
  return row?.at ?? 0;
}
