import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { type Principal, requireScope } from '../keys/auth.ts';
import { notFound, Problem } from '../problem.ts';
import type { JobType, JobView } from './jobs.ts';
import { answerJob, jobBody } from './view.ts';

type Call = FastifyRequest<{ Params: { id: string } }>;

const params = Type.Object({ id: Type.String({ maxLength: 200 }) });
const tags = ['jobs'];

/** GET and DELETE /v1/jobs/{id}, POST /v1/refresh */
export function registerJobRoutes(app: FastifyInstance, deps: DmpDeps): void {
  app.get('/v1/jobs/:id', { schema: { tags, operationId: 'getJob', summary: 'Follow a job', params } }, async (request) => {
    requireScope(request, 'jobs:read');
    return shownTo(request.principal, await jobOf(deps, request as Call));
  });
  const cancel = {
    tags,
    operationId: 'cancelJob',
    summary: 'Cancel a job: what runs stops at its next step, a refresh within the statement that it is at',
    params,
  };
  app.delete('/v1/jobs/:id', { schema: cancel }, async (request, reply) => {
    requireScope(request, 'jobs:write');
    const { id } = await jobOf(deps, request as Call);
    if (!(await deps.jobs.cancel(id))) throw new Problem(409, 'conflict', 'The job has ended already');
    return answerJob(reply, await jobOf(deps, request as Call));
  });
  const refresh = { tags, operationId: 'refresh', summary: 'Bring identity, visits and segments up to date and publish them' };
  app.post('/v1/refresh', { schema: refresh }, async (request, reply) => {
    requireScope(request, 'jobs:write');
    return answerJob(reply, await deps.jobs.enqueue('refresh', {}, request.principal.id));
  });
}

async function jobOf(deps: DmpDeps, request: Call): Promise<JobView> {
  const job = await deps.jobs.get(request.params.id);
  if (job === null || !mayFollow(request.principal, job)) throw notFound(`job ${request.params.id.slice(0, 80)}`);
  return job;
}

/** What a refresh did is everybody's, and counts people exactly: a key that is bound to an advertiser sees only that it is done. */
const OF_EVERYBODY: ReadonlySet<JobType> = new Set(['refresh', 'evaluate', 'lookalike']);

function shownTo(principal: Principal, job: JobView): object {
  return jobBody(principal.advertiser !== null && OF_EVERYBODY.has(job.type) ? { ...job, result: null } : job);
}

/** A key that is bound to an advertiser sees its own jobs only. */
function mayFollow(principal: Principal, job: JobView): boolean {
  return principal.advertiser === null || job.actor === principal.id;
}
