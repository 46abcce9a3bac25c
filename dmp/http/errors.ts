import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { WarehouseAway } from '../clickhouse/connection.ts';
import { type Fault, Problem } from '../problem.ts';
import { RevisionConflict } from '../things/things.ts';
import { faultsOf } from './validation.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** Every error of the app leaves as a problem; what is not ours to explain to the caller is logged and hidden. */
export function useProblems(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = problemOf(error);
    if (problem.status >= 500)
      log.error({ requestId: request.id, method: request.method, path: pathOf(request), err: error }, 'fault');
    sendProblem(request, reply, problem);
  });
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): void {
  reply
    .code(problem.status)
    .headers(problem.headers)
    .header('x-request-id', request.id)
    .type(PROBLEM_TYPE)
    .serializer(JSON.stringify)
    .send(problemBody(problem, pathOf(request), request.id));
}

export function problemBody(problem: Problem, instance: string, requestId: string): object {
  return {
    type: `/docs/errors#${problem.code}`,
    title: problem.title,
    status: problem.status,
    ...(problem.detail === undefined ? {} : { detail: problem.detail }),
    instance,
    code: problem.code,
    requestId,
    errors: problem.errors,
  };
}

/** Where a query lists what is asked for it may name people: only the path is told or logged. */
function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] as string;
}

const INTERNAL = 'Something went wrong on our side';

export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof WarehouseAway)
    return new Problem(503, 'unavailable', 'ClickHouse is away', { headers: { 'retry-after': '2' } });
  if (error instanceof RevisionConflict) return stale(error.current);
  const { code, statusCode, validation, validationContext, message } = error as FastifyError;
  if (validation !== undefined) return invalidCall(validation as never, validationContext);
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Problem(415, 'unsupported_media_type', 'The route does not take this content type', { detail: message });
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem(413, 'body_too_large', 'The body is over the limit');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new Problem(400, 'empty_body', 'The route needs a body and none was sent');
    // ClickHouse: TIMEOUT_EXCEEDED and MEMORY_LIMIT_EXCEEDED.
    case '159':
    case '241':
      return new Problem(503, 'timeout', 'The question took longer or more memory than a question may', {
        headers: { 'retry-after': '30' },
      });
  }
  if (statusCode === 413) return new Problem(413, 'body_too_large', 'The body is over the limit');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new Problem(400, 'malformed', 'The call cannot be read', { detail: message });
  return new Problem(500, 'internal', INTERNAL);
}

/** 412 with the ETag that the thing has now. */
export function stale(current: number): Problem {
  return new Problem(412, 'precondition_failed', 'The thing is not at the revision that the call was made for', {
    ...(current === 0 ? {} : { headers: { etag: `"${current}"` } }),
  });
}

const PARTS: Readonly<Record<string, string>> = { params: 'address', querystring: 'query', headers: 'header' };

function invalidCall(errors: Parameters<typeof faultsOf>[0], context: string | undefined): Problem {
  if (context === 'body') return new Problem(422, 'validation', 'The body is not valid', { errors: faultsOf(errors) });
  const faults: Fault[] = faultsOf(errors).map((fault) => ({ ...fault, pointer: `?${fault.pointer.slice(1)}` }));
  return new Problem(400, 'validation', `The ${PARTS[context ?? ''] ?? 'call'} is not valid`, { errors: faults });
}
