import type { Rig } from './rig.ts';

/** Writes what an evaluation of a segment writes: who entered and who left, and its run. */
export async function putMembers(
  rig: Pick<Rig, 'warehouse' | 'now'>,
  segment: string,
  version: number,
  { entered = [], left = [] }: { readonly entered?: readonly number[]; readonly left?: readonly number[] },
): Promise<void> {
  const at = new Date(rig.now()).toISOString();
  const rowOf = (status: number) => (profile: number) => ({ segment, profile, version, status, at });
  await rig.warehouse.insert('memberships', [...entered.map(rowOf(1)), ...left.map(rowOf(-1))]);
  const run = { segment, version, revision: 1, started: at, seconds: 0, members: entered.length };
  await rig.warehouse.insert('segment_runs', [{ ...run, entered: entered.length, left_count: left.length, error: '' }]);
}
