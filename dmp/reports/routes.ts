import type { FastifyInstance } from 'fastify';
import type { DmpDeps } from '../deps.ts';

/** `GET /v1/reports/conversions`. */
export function registerReportsRoutes(_app: FastifyInstance, _deps: Pick<DmpDeps, 'warehouse' | 'things' | 'now'>): void {
  // The report follows.
}
