import { readFile } from 'node:fs/promises';
import type { Redis } from 'ioredis';
import { capsKey } from '../../proto/keys.ts';
import type { Move } from './write.ts';

const SCRIPT = new URL('./carry.lua', import.meta.url);
const PIPELINE = 1_000;

/**
 * Takes frequency counters along when profiles become one or part, since they hang on the anchor. Of two that become one the
 * counts are added up; who is split off has seen all that was shown to both, so that nobody's cap begins anew. Repeating it
 * changes nothing.
 */
export async function carryCaps(redis: Redis, moves: readonly Move[]): Promise<void> {
  if (moves.length === 0) return;
  const script = await readFile(SCRIPT, 'utf8');
  for (let from = 0; from < moves.length; from += PIPELINE) {
    const pipeline = redis.pipeline();
    for (const move of moves.slice(from, from + PIPELINE))
      pipeline.eval(script, 2, capsKey(move.from), capsKey(move.to), move.merged ? 'merge' : 'split');
    for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
  }
}
