import type { FastifyInstance } from 'fastify';
import type { DmpDeps } from '../deps.ts';
import type { Noun } from '../http/noun.ts';
import { registerResource } from '../http/resource.ts';
import { timeZoneFaults } from '../http/time-zone.ts';
import { Source } from './source.ts';

const SOURCES: Noun<'source', Source> = {
  kind: 'source',
  path: 'sources',
  title: 'source',
  prefix: 'src_',
  input: Source,
  read: 'admin',
  write: 'admin',
  advertiserOf: () => null,
  check: ({ timeZone }) => timeZoneFaults(timeZone, '/timeZone'),
};

export function registerSourcesRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, SOURCES);
}
