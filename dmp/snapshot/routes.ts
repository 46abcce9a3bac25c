import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { WORKERS_KEY } from '../../proto/keys.ts';
import type { DmpDeps } from '../deps.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { requireScope } from '../keys/auth.ts';
import { readHead } from './published.ts';

const View = Type.Object({
  version: Type.Integer({ description: '0: nothing is published yet' }),
  at: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' }),
  lineItems: Type.Integer({ description: 'live line items that the key may see' }),
  workers: Type.Array(Type.Object({ id: Type.String(), version: Type.Integer() })),
});

/** What is published, and which version each bidder worker serves. */
export function registerSnapshotRoutes(app: FastifyInstance, { redis }: DmpDeps): void {
  const schema = {
    tags: ['snapshot'],
    operationId: 'getSnapshot',
    summary: 'What is live, and which bidder workers serve it',
    response: { 200: { description: 'It', content: { 'application/json': { schema: View } } }, ...PROBLEM_RESPONSES },
  };
  app.get('/v1/snapshot', { schema }, async (request) => {
    requireScope(request, 'snapshot:read');
    const { advertiser } = request.principal;
    const [head, workers] = await Promise.all([readHead(redis), redis.hgetall(WORKERS_KEY)]);
    const live = head?.lineItems ?? {};
    return {
      version: head?.version ?? 0,
      at: head === null ? null : new Date(head.at).toISOString(),
      lineItems: advertiser === null ? Object.values(live).reduce((sum, count) => sum + count, 0) : (live[advertiser] ?? 0),
      workers: Object.entries(workers).map(([id, value]) => ({
        id,
        version: (JSON.parse(value) as { version: number }).version,
      })),
    };
  });
}
