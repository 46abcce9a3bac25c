import type { FastifyInstance } from 'fastify';
import type { DmpDeps } from '../deps.ts';

/** /v1/segments, /v1/segments:estimate, /v1/segments/{id}/evaluate, /v1/segments/{id}/runs */
export function registerSegmentsRoutes(app: FastifyInstance, deps: DmpDeps): void {
  app.log.trace({ now: deps.now() }, 'segments');
}
