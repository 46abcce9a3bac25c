import { randomBytes } from 'node:crypto';
import type { DmpDeps } from '../deps.ts';
import { type Export, listExports, saveExport } from './exports.ts';

const HALF_DAY_MS = 43_200_000;

/**
 * Asks for an export. One that waits or could not be delivered yet is the same one; one that was never fetched is replaced, since the
 * new one is made against what the destination has. A delta to Xandr is whole before memberships there end.
 */
export async function queueExport(deps: DmpDeps, destination: string, actor: string, mode?: Export['mode']): Promise<Export> {
  const { warehouse, things, jobs } = deps;
  const thing = things.get('destination', destination)?.body;
  if (thing === undefined) throw new Error(`there is no destination ${destination}`);
  const earlier = await listExports(warehouse, destination, 200);
  const [last] = earlier;
  if (last !== undefined && (last.state === 'queued' || last.state === 'failed') && (mode ?? last.mode) === last.mode)
    return last;
  if (last?.state === 'ready') await saveExport(warehouse, { ...last, state: 'superseded' }, deps.now());
  const wanted = mode ?? (thing.kind === 'xandr' && needsRenewal(deps, thing.expirationDays, earlier) ? 'full' : thing.mode);
  const record: Export = {
    ...{
      id: `exp_${randomBytes(9).toString('hex')}`,
      destination,
      advertiser: thing.advertiser,
      number: (last?.number ?? 0) + 1,
    },
    ...{ mode: wanted, state: 'queued', job: null, actor, createdAt: new Date(deps.now()).toISOString(), deliveredAt: null },
    ...{ prepared: false, segments: [], files: [], done: [], attempts: [], failures: 0, error: null, result: null },
  };
  await saveExport(warehouse, record, deps.now());
  return startExport({ warehouse, jobs, now: deps.now }, record, actor);
}

/** Puts an export in the queue of jobs, for the first time or again. */
export async function startExport(
  { warehouse, jobs, now }: Pick<DmpDeps, 'warehouse' | 'jobs' | 'now'>,
  record: Export,
  actor: string,
): Promise<Export> {
  const { id } = await jobs.enqueue('export', { export: record.id }, actor);
  const queued: Export = { ...record, job: id };
  await saveExport(warehouse, queued, now());
  return queued;
}

function needsRenewal({ now }: DmpDeps, expirationDays: number, earlier: readonly Export[]): boolean {
  const whole = earlier.find(({ state, mode, number }) => state === 'delivered' && (mode === 'full' || number === 1));
  return whole !== undefined && now() - Date.parse(whole.createdAt) > expirationDays * HALF_DAY_MS;
}
