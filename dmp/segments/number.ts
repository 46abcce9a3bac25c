import type { DmpDeps } from '../deps.ts';

/** Redis counter: the last number given to a segment. */
const NUMBER_KEY = 'walkin:segment-number';

/** A number that no segment has or had, also where Redis has forgotten which was the last. */
export async function nextNumber({ redis, things }: Pick<DmpDeps, 'redis' | 'things'>): Promise<number> {
  const greatest = things.list('segment').reduce((most, { body }) => Math.max(most, body.number), 0);
  const next = await redis.incr(NUMBER_KEY);
  return next > greatest ? next : redis.incrby(NUMBER_KEY, greatest - next + 1);
}
