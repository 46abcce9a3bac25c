import type { FastifyInstance } from 'fastify';
import type { DmpDeps } from '../deps.ts';

export function registerImportRoutes(_app: FastifyInstance, _deps: DmpDeps): void {}
