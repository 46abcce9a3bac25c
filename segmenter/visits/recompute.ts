import type { Group } from '../../dmp/visits/groups.ts';
import { recompute } from '../device.ts';
import { ALL_TIME, boundsOf, LIMITS, type Pass, type VisitsDeps, within } from './pass.ts';
import { readVisits, rowsOf } from './rows.ts';
import { pingsOf, readPings, sourcesOf } from './trace.ts';

/** Pings that are held in memory at once. */
const PART = 300_000;

/** Called between parts: how many of how many are done. It may throw to stop; the rest is done the next time. */
export type Between = (done: number, total: number) => Promise<void>;

/** The groups, and the sources that there are, by which rows of visits name theirs. */
export interface Ground {
  readonly groups: readonly Group[];
  readonly sources: readonly string[];
}

export interface Tally {
  devices: number;
  pings: number;
  written: number;
  cancelled: number;
}

/** Recomputes the visits of the devices of a pass, in parts that fit into memory. */
export async function runPass(
  deps: VisitsDeps,
  pass: Pass,
  ground: Ground,
  version: number,
  tally: Tally,
  between: Between,
): Promise<void> {
  const parts = Math.ceil((await countPings(deps, pass)) / PART) || 1;
  for (let part = 0; part < parts; part++) {
    await between(part, parts);
    const slice = `${pass.devices} AND cityHash64(identifier) % {parts:UInt32} = {part:UInt32}`;
    const chosen: Pass = { ...pass, devices: slice, params: { ...pass.params, parts, part } };
    for (const group of ground.groups) {
      const open = await recomputeDevices(deps, chosen, group, ground.sources, version, tally);
      if (open.length === 0) continue;
      const params = { ...pass.params, open };
      const whole = { ...pass, devices: 'identifier IN {open:Array(UUID)}', params, window: ALL_TIME };
      await recomputeDevices(deps, whole, group, ground.sources, version, tally);
    }
  }
}

async function countPings({ warehouse }: VisitsDeps, { devices, params, window }: Pass): Promise<number> {
  const sql = `SELECT count() AS n FROM pings WHERE ${devices} AND ${within('at', window)}`;
  const [row] = await warehouse.query<{ n: string }>({ sql, params: { ...params, ...boundsOf(window) } }, LIMITS);
  return Number(row?.n ?? 0);
}

/** Recomputes and writes; returns the devices of which more must be read. */
async function recomputeDevices(
  deps: VisitsDeps,
  pass: Pass,
  group: Group,
  sources: readonly string[],
  version: number,
  tally: Tally,
): Promise<string[]> {
  const [traces, known] = [await readPings(deps, pass, group, sources), await readVisits(deps, pass, group)];
  const open: string[] = [];
  const rows: object[] = [];
  for (const { identifier, ...trace } of traces) {
    const result = recompute(pingsOf(trace), known.get(identifier) ?? [], pass.window, group.index);
    if (result === null) {
      open.push(identifier);
      continue;
    }
    tally.devices++;
    tally.pings += trace.at.length;
    tally.written += result.written.length;
    tally.cancelled += result.cancelled.length;
    rows.push(...rowsOf(identifier, result, version, (visit) => sourcesOf(trace, visit, sources)));
  }
  await deps.warehouse.insert('visits', rows);
  return open;
}
