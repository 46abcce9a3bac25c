import type { FastifyInstance } from 'fastify';
import { FIRST_GENERATION } from '../../proto/pepper.ts';
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
  check: ({ domains, apart = false }, { current }) => [
    ...domains.flatMap((domain, index) => (isDomain(domain) ? [] : [badDomain(domain, index)])),
    // What was brought as one is not the other afterwards.
    ...(current === undefined || (current.body.apart ?? false) === apart ? [] : [stays()]),
  ],
  // Who was there before tenants had peppers of their own keeps the installation's until it is rotated.
  store: (input, { current }) => {
    if (current === undefined) return { ...input, peppers: [FIRST_GENERATION], firstPepper: FIRST_GENERATION };
    const { peppers, firstPepper } = current.body;
    return { ...input, ...(peppers && { peppers }), ...(firstPepper && { firstPepper }) };
  },
};

function stays(): Fault {
  return { pointer: '/apart', code: 'immutable', message: 'cannot be changed' };
}

function badDomain(domain: string, index: number): Fault {
  return { pointer: `/domains/${index}`, code: 'bad_domain', message: `${JSON.stringify(domain)} is not a domain in lower case` };
}

export function registerAdvertisersRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, ADVERTISERS);
}
