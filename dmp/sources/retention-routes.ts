import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { nullable, oneOf, Time } from '../http/schema.ts';
import { answerJob } from '../jobs/view.ts';
import { requireScope } from '../keys/auth.ts';
import { maySeeSource } from './access.ts';
import { readKept } from './retention.ts';
import { SOURCE_KINDS } from './source.ts';

const View = Type.Object({
  asOf: Time,
  past: Type.Integer({ description: 'rows past their time in all' }),
  rows: Type.Array(
    Type.Object({
      source: Type.String(),
      kind: oneOf(SOURCE_KINDS),
      days: nullable(Type.Integer({ description: 'kept so long after they came in; null: as long as the source' })),
      rows: Type.Integer({ description: 'that are kept, replaced ones too' }),
      past: Type.Integer({ description: 'past their time: the next retention run deletes them' }),
      oldest: Time,
      newest: Time,
    }),
  ),
});

/** GET /v1/reports/retention, POST /v1/retention */
export function registerRetentionRoutes(app: FastifyInstance, deps: DmpDeps): void {
  const report = {
    tags: ['reports'],
    operationId: 'reportRetention',
    summary: 'How long rows are kept, and which are past their time',
    response: { 200: { description: 'It', content: { 'application/json': { schema: View } } }, ...PROBLEM_RESPONSES },
  };
  app.get('/v1/reports/retention', { schema: report }, async (request) => {
    requireScope(request, 'reports:read');
    const { advertiser } = request.principal;
    const now = deps.now();
    const kept = (await readKept(deps.warehouse, deps.things, now)).filter(({ source }) => {
      const thing = deps.things.get('source', source);
      // How much everybody's data is, is the operator's to know.
      return advertiser === null || (thing?.body.advertiser === advertiser && maySeeSource(thing, advertiser));
    });
    const time = (at: number) => new Date(at).toISOString();
    return {
      asOf: time(now),
      past: kept.reduce((sum, { past }) => sum + past, 0),
      rows: kept.map((one) => ({ ...one, oldest: time(one.oldest), newest: time(one.newest) })),
    };
  });

  const run = {
    tags: ['sources'],
    operationId: 'runRetention',
    summary: 'Delete what is past its time now; it is done every hour',
  };
  app.post('/v1/retention', { schema: run }, async (request, reply) => {
    requireScope(request, 'admin');
    return answerJob(reply, await deps.jobs.enqueue('retention', {}, request.principal.id));
  });
}
