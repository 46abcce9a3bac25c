import type { FastifyInstance } from 'fastify';
import type { DmpDeps } from '../deps.ts';

export function registerQuarantineRoutes(_app: FastifyInstance, _deps: DmpDeps): void {}
