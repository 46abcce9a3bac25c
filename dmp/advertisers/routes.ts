import type { FastifyInstance } from 'fastify';
import type { DmpDeps } from '../deps.ts';
import type { Noun } from '../http/noun.ts';
import { registerResource } from '../http/resource.ts';
import type { Fault } from '../problem.ts';
import { Advertiser } from './advertiser.ts';
import { isDomain } from './domain.ts';

const ADVERTISERS: Noun<'advertiser', Advertiser> = {
  kind: 'advertiser',
  path: 'advertisers',
  title: 'advertiser',
  prefix: 'adv_',
  input: Advertiser,
  read: 'advertisers:read',
  write: 'advertisers:write',
  advertiserOf: (_, id) => id,
  check: ({ domains }) => domains.flatMap((domain, index) => (isDomain(domain) ? [] : [badDomain(domain, index)])),
};

function badDomain(domain: string, index: number): Fault {
  return { pointer: `/domains/${index}`, code: 'bad_domain', message: `${JSON.stringify(domain)} is not a domain in lower case` };
}

export function registerAdvertisersRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, ADVERTISERS);
}
