import type { FastifyInstance } from 'fastify';
import type { DmpDeps } from '../deps.ts';
import { recordUses } from '../segments/uses.ts';
import { answerLookups } from './lookup-call.ts';
import { createLookupUses, handOver, type ToldCount, takeHanded } from './lookup-uses.ts';
import { createOffers } from './offers.ts';

/** POST /v1/memberships:lookup, and what those need who answer it apart. */
export function registerLookupRoutes(app: FastifyInstance, deps: DmpDeps): void {
  const { redis, pepper, now, log } = deps;
  const offers = createOffers(deps);
  app.addHook('onClose', async () => offers.close());
  answerLookups(app, { redis, pepper, now, offers, uses: createLookupUses((counts) => writeUses(deps, counts), log) });
}

/** Those that others handed over too. What cannot be written is handed over again. */
async function writeUses(deps: DmpDeps, own: readonly ToldCount[]): Promise<void> {
  const handed = deps.redis.status === 'ready' ? await takeHanded(deps.redis) : [];
  const counts = [...own, ...handed];
  if (counts.length === 0) return;
  const uses = counts.map(({ advertiser, destination, segment, people }) => ({
    ...{ segment, advertiser, use: 'lookup' as const, id: destination, version: 0, people, actor: 'lookup' },
  }));
  try {
    await recordUses(deps, uses);
  } catch (error) {
    if (deps.redis.status === 'ready') await handOver(deps.redis, counts);
    throw error;
  }
}
