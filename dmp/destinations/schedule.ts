import type { DmpDeps } from '../deps.ts';
import { startJobWorker } from '../jobs/queue.ts';
import { lastRuns } from '../segments/runs.ts';
import { type Export, lastDelivered, listExports } from './exports.ts';
import { cleanFiles } from './files.ts';
import { forgetAllRemoved } from './ledger.ts';
import { queueExport } from './queue-export.ts';
import { exportWork } from './run.ts';
import { lastWithdrawal, wasToldOf } from './withdrawn.ts';

const TICK_MS = 30_000;
const DAY_MS = 86_400_000;
/** An address that was away for all tries is asked again so much later, since somebody may have to be removed there. */
const AFTER_DEATH_MS = 3_600_000;
const TICK_KEY = 'walkin:exports:tick';
/** Set when the day's forgetting is done, and while it is under way. */
export const FORGOTTEN_KEY = 'walkin:exports:forget';
export const FORGETTING_KEY = 'walkin:exports:forgetting';
const DAY_S = 86_400;
/** Longer than it takes; one that was cut off is done again after it. */
const FORGETTING_S = 1_800;
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
    await forgetDaily(deps);
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

/** Once a day, of all processes. The day is marked when it is done, so that what was cut off is done again; twice is as once. */
export async function forgetDaily({ redis, warehouse }: Pick<DmpDeps, 'redis' | 'warehouse'>): Promise<void> {
  if ((await redis.exists(FORGOTTEN_KEY)) === 1) return;
  if ((await redis.set(FORGETTING_KEY, '1', 'EX', FORGETTING_S, 'NX')) !== 'OK') return;
  await forgetAllRemoved(warehouse, (destination) => lastDelivered(warehouse, destination));
  await redis.multi().set(FORGOTTEN_KEY, '1', 'EX', DAY_S).del(FORGETTING_KEY).exec();
}

/** Of a destination, the newest ones: among them the last that came to something. */
const LOOKED_AT = 20;
const CAME_TO_NOTHING: ReadonlySet<Export['state']> = new Set(['dead', 'superseded']);

/** Asks for the exports that are due, and returns their ids. */
export async function queueDue(deps: DmpDeps): Promise<string[]> {
  const { warehouse, things } = deps;
  const scheduled = things.list('destination').filter(({ body }) => body.schedule !== 'manual' && body.kind !== 'lookup');
  if (scheduled.length === 0) return [];
  const withdrawn = await lastWithdrawal(warehouse);
  const asked: string[] = [];
  for (const { id, body, updatedAt } of scheduled) {
    const exports = await listExports(warehouse, id, LOOKED_AT);
    const [last] = exports;
    if (last !== undefined && (last.state === 'queued' || last.state === 'failed')) continue;
    if (last?.state === 'dead' && deps.now() - Date.parse(last.createdAt) < AFTER_DEATH_MS) continue;
    const before = exports.find(({ state }) => !CAME_TO_NOTHING.has(state));
    const made = before === undefined ? 0 : Date.parse(before.createdAt);
    const isDue =
      updatedAt > made ||
      (body.schedule === 'daily' ? deps.now() - made >= DAY_MS : await hasNewRuns(deps, body.segments, before)) ||
      // Somebody withdraws all the time; most of them are not there.
      (withdrawn > made && (await wasToldOf(warehouse, id, made)));
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
