import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { Problem } from '../problem.ts';
import { endWith } from './bare-answer.ts';
import { problemOf, sendProblem, useProblems } from './errors.ts';
import { useMetrics } from './metrics.ts';
import { type Pace, useSlowBodies } from './slow-body.ts';
import { useUnknownRoute } from './unknown-route.ts';
import { SCHEMA_COMPILERS } from './validation.ts';

/** What answers calls: every fault leaves as a problem, every answer is timed. Knows no route and no key yet. */
export function createApi(log: Logger, bodyLimit: number, pace?: Pace): FastifyInstance {
  const app = Fastify({
    bodyLimit,
    routerOptions: { maxParamLength: 200 },
    genReqId: () => `req_${randomBytes(9).toString('hex')}`,
    frameworkErrors: (error, request, reply) => sendProblem(request, reply, problemOf(error)),
    clientErrorHandler: answerUnreadable,
    schemaController: { compilersFactory: SCHEMA_COMPILERS },
  });
  useProblems(app, log);
  useUnknownRoute(app);
  useHeaders(app);
  useMetrics(app);
  useSlowBodies(app, pace);
  return app;
}

function useHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff' });
    if (request.url.startsWith('/v1/')) reply.header('cache-control', 'no-store');
  });
}

/** What changes something needs Redis; without it the call would wait for as long as it is away. */
export function useRedisGuard(app: FastifyInstance, redis: Redis): void {
  app.addHook('onRequest', async (request) => {
    const isAway = redis.status === 'reconnecting' || redis.status === 'close' || redis.status === 'end';
    if (isAway && request.method !== 'GET' && request.method !== 'HEAD')
      throw new Problem(503, 'unavailable', 'Redis is away', { headers: { 'retry-after': '2' } });
  });
}

/** Bytes that are not HTTP have no request to answer to. */
function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return;
  const isLong = error.code === 'HPE_HEADER_OVERFLOW';
  endWith(socket, new Problem(isLong ? 431 : 400, 'malformed', isLong ? 'The headers are too long' : 'The call is not HTTP'));
}
