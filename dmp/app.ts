import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { registerAdvertisersRoutes } from './advertisers/routes.ts';
import { useAudit } from './audit/record.ts';
import { registerAuditRoutes } from './audit/routes.ts';
import { registerCampaignsRoutes } from './campaigns/routes.ts';
import { registerConsentsRoutes } from './consents/routes.ts';
import { registerCreativeLifeRoutes } from './creatives/routes.ts';
import { registerDebugRoutes } from './debug/routes.ts';
import type { DmpDeps } from './deps.ts';
import { registerLookupRoutes } from './destinations/lookup-routes.ts';
import { registerDestinationsRoutes } from './destinations/routes.ts';
import { registerErasuresRoutes } from './erasures/routes.ts';
import { registerEventRoutes } from './events/routes.ts';
import { registerExchangesRoutes } from './exchanges/routes.ts';
import { registerGeofencesRoutes } from './geofences/routes.ts';
import { useApiDocs } from './http/api-docs.ts';
import { PROBLEM_TYPE, problemBody, problemOf, sendProblem, useProblems } from './http/errors.ts';
import { registerHealth } from './http/health.ts';
import { useIdempotency } from './http/idempotency.ts';
import { useJson } from './http/json-body.ts';
import { useMetrics } from './http/metrics.ts';
import { useUnknownRoute } from './http/unknown-route.ts';
import { SCHEMA_COMPILERS } from './http/validation.ts';
import { registerIdentityRoutes } from './identity/routes.ts';
import { registerImportRoutes } from './imports/routes.ts';
import { registerInventoryListRoutes } from './inventory-lists/routes.ts';
import { registerJobRoutes } from './jobs/routes.ts';
import { useAuthentication } from './keys/authenticate.ts';
import { useRateLimit } from './keys/rate-limit.ts';
import { registerApiKeysRoutes } from './keys/routes.ts';
import { registerListsRoutes } from './lists/routes.ts';
import { Problem } from './problem.ts';
import { registerProfilesRoutes } from './profiles/routes.ts';
import { registerQuarantineRoutes } from './quarantine/routes.ts';
import { registerRatesRoutes } from './rates/routes.ts';
import { registerReportsRoutes } from './reports/routes.ts';
import { registerEstimateRoute } from './segments/estimate-routes.ts';
import { registerInsightRoutes } from './segments/insight-routes.ts';
import { registerLookalikesRoutes } from './segments/lookalike-routes.ts';
import { registerSegmentsRoutes } from './segments/routes.ts';
import { registerSegmentUsesRoutes } from './segments/uses-routes.ts';
import { registerSegmentVersionsRoutes } from './segments/versions-routes.ts';
import { registerSnapshotRoutes } from './snapshot/routes.ts';
import { registerSourcesRoutes } from './sources/routes.ts';
import { registerStoresRoutes } from './stores/routes.ts';
import { registerSupplyRoutes } from './supply/routes.ts';

export interface AppOptions {
  /** A key that may do everything, beside those that are kept as things; null: none. */
  readonly adminKey: string | null;
}

const BODY_LIMIT = 1024 * 1024;

/** The admin API. Knows no clock, no environment and no port: tests call it with `inject`. */
export function buildApp(deps: DmpDeps, options: AppOptions): FastifyInstance {
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    routerOptions: { maxParamLength: 200 },
    genReqId: () => `req_${randomBytes(9).toString('hex')}`,
    frameworkErrors: (error, request, reply) => sendProblem(request, reply, problemOf(error)),
    clientErrorHandler: answerUnreadable,
    schemaController: { compilersFactory: SCHEMA_COMPILERS },
  });
  useProblems(app, deps.log);
  useUnknownRoute(app);
  useHeaders(app);
  useMetrics(app);
  useAuthentication(app, deps.things, options.adminKey);
  useRateLimit(app, deps.redis);
  useAudit(app, deps);
  useRedisGuard(app, deps);
  useIdempotency(app, deps.redis);
  useJson(app);
  useApiDocs(app);
  app.register(async (api) => registerRoutes(api, deps));
  return app;
}

function registerRoutes(api: FastifyInstance, deps: DmpDeps): void {
  registerHealth(api, deps);
  registerAdvertisersRoutes(api, deps);
  registerStoresRoutes(api, deps);
  registerGeofencesRoutes(api, deps);
  registerSourcesRoutes(api, deps);
  registerConsentsRoutes(api, deps);
  registerErasuresRoutes(api, deps);
  registerProfilesRoutes(api, deps);
  registerEventRoutes(api, deps);
  registerImportRoutes(api, deps);
  registerQuarantineRoutes(api, deps);
  registerSegmentsRoutes(api, deps);
  registerSegmentUsesRoutes(api, deps);
  registerSegmentVersionsRoutes(api, deps);
  registerEstimateRoute(api, deps);
  registerInsightRoutes(api, deps);
  registerLookalikesRoutes(api, deps);
  registerDestinationsRoutes(api, deps);
  registerLookupRoutes(api, deps);
  registerExchangesRoutes(api, deps);
  registerSupplyRoutes(api, deps);
  registerInventoryListRoutes(api, deps);
  registerListsRoutes(api, deps);
  registerCampaignsRoutes(api, deps);
  registerCreativeLifeRoutes(api, deps);
  registerSnapshotRoutes(api, deps);
  registerDebugRoutes(api, deps);
  registerRatesRoutes(api, deps);
  registerReportsRoutes(api, deps);
  registerIdentityRoutes(api, deps);
  registerJobRoutes(api, deps);
  registerApiKeysRoutes(api, deps);
  registerAuditRoutes(api, deps);
}

function useHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff' });
    if (request.url.startsWith('/v1/')) reply.header('cache-control', 'no-store');
  });
}

/** What changes something needs Redis; without it the call would wait for as long as it is away. */
function useRedisGuard(app: FastifyInstance, { redis }: DmpDeps): void {
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
  const status = isLong ? 431 : 400;
  const problem = new Problem(status, 'malformed', isLong ? 'The headers are too long' : 'The call is not HTTP');
  const body = JSON.stringify(problemBody(problem, '', `req_${randomBytes(9).toString('hex')}`));
  const reason = isLong ? 'Request Header Fields Too Large' : 'Bad Request';
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
