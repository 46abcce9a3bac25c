import type { Binder } from '../../dmp/segments/binder.ts';

/** The members of a segment as its last evaluation left them: rows of `shard`, `members`. */
export function membersOf(segment: string, version: number, bound: Binder): string {
  return `SELECT shard, members FROM segment_members FINAL WHERE segment = ${bound.add('String', segment)} AND version = ${bound.add('UInt32', version)}`;
}
