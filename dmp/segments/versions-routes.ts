import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { answerJob } from '../jobs/view.ts';
import { maySee, requireScope } from '../keys/auth.ts';
import { invalid, notFound, Problem } from '../problem.ts';
import { checkRule } from './check.ts';
import { runOfVersion } from './runs.ts';
import type { Segment } from './segment.ts';

const SCHEMA = {
  tags: ['segments'],
  operationId: 'restoreSegment',
  summary: 'Give a segment the rule and the members of a version back, and evaluate it',
  description:
    'The members of the last ten rules are kept and put back as they were before the rule is evaluated; of older versions the rule alone.',
  params: Type.Object({ id: Type.String({ maxLength: 200 }) }),
  body: Type.Object(
    { version: Type.Integer({ minimum: 1, maximum: 0xffff_ffff, description: 'as in the runs of the segment' }) },
    { additionalProperties: false },
  ),
  response: { ...PROBLEM_RESPONSES },
};

/** POST /v1/segments/{id}/restore: a new revision with the old rule, level and confidence; all else stays. */
export function registerSegmentVersionsRoutes(app: FastifyInstance, deps: DmpDeps): void {
  const { warehouse, things, jobs } = deps;
  app.post('/v1/segments/:id/restore', { schema: SCHEMA }, async (request, reply) => {
    requireScope(request, 'segments:write');
    const { id } = request.params as { id: string };
    const segment = things.get('segment', id);
    if (segment === undefined || !maySee(request.principal, segment.body.advertiser)) throw notFound('segment');
    const { version } = request.body as { version: number };
    const own = request.principal.advertiser;
    // What is nobody's may be seen, but not changed.
    if (own !== null && segment.body.advertiser !== own)
      throw new Problem(403, 'forbidden', 'A key that is bound to an advertiser cannot change this segment');
    const run = await runOfVersion(warehouse, id, version);
    const old = run === null ? null : await readBody(deps, id, run.revision);
    if (old === null) throw invalid([{ pointer: '/version', code: 'not_found', message: `no version ${version} is known` }]);
    const { advertiser, number } = segment.body;
    const faults = checkRule(old.rule, { things, advertiser, self: id });
    if (faults.length > 0) throw invalid(faults, 'The rule of that version is not valid any more');
    const { principal } = request;
    const { revision } = await things.put(
      'segment',
      id,
      { ...segment.body, rule: old.rule, level: old.level ?? 'person', confidence: old.confidence ?? 0, advertiser, number },
      { actor: principal.id, expected: segment.revision },
    );
    return answerJob(reply, await jobs.enqueue('evaluate', { segment: id, restore: { version, revision } }, principal.id));
  });
}

async function readBody({ warehouse }: DmpDeps, id: string, revision: number): Promise<Segment | null> {
  const sql = `SELECT body FROM revisions WHERE kind = 'segment' AND id = {id:String} AND revision = {revision:UInt32} AND deleted = 0 LIMIT 1`;
  const [row] = await warehouse.query<{ body: string }>({ sql, params: { id, revision } });
  return row === undefined ? null : (JSON.parse(row.body) as Segment);
}
