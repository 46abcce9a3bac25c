import type { FastifyInstance } from 'fastify';
import type { DmpDeps } from '../deps.ts';
import type { Noun } from '../http/noun.ts';
import { referenceFault } from '../http/references.ts';
import { registerResource } from '../http/resource.ts';
import type { Fault } from '../problem.ts';
import { ApiKeyInput } from './api-key.ts';
import { issueSecret } from './authenticate.ts';

const API_KEYS: Noun<'api-key', ApiKeyInput> = {
  kind: 'api-key',
  path: 'api-keys',
  title: 'API key',
  prefix: 'key_',
  input: ApiKeyInput,
  read: 'admin',
  write: 'admin',
  immutable: ['advertiser', 'exchange'],
  filters: ['advertiser'],
  advertiserOf: (key) => key.advertiser,
  check: ({ advertiser, exchange, role, scopes }, { deps: { things } }) => [
    ...(advertiser === null ? [] : referenceFault(things, 'advertiser', advertiser, '/advertiser', null)),
    ...(exchange === null ? [] : referenceFault(things, 'exchange', exchange, '/exchange', null)),
    ...(advertiser === null ? [] : boundScopeFaults(role, scopes)),
    ...exchangeFaults(advertiser, exchange, role, scopes),
    ...(role === null && scopes.length === 0
      ? [{ pointer: '/scopes', code: 'required' as const, message: 'a key needs a role or scopes' }]
      : []),
  ],
  issue: (input, { id }) => {
    const { key, hash } = issueSecret(id);
    return { body: { ...input, hash }, once: { key } };
  },
  store: (input, { current }) => ({ ...input, hash: current?.body.hash ?? '' }),
};

function boundScopeFaults(role: ApiKeyInput['role'], scopes: ApiKeyInput['scopes']): Fault[] {
  const faults: Fault[] = [];
  const message = 'admin is for keys of no advertiser';
  if (role === 'admin') faults.push({ pointer: '/role', code: 'scope_not_allowed', message });
  const index = scopes.indexOf('admin');
  if (index >= 0) faults.push({ pointer: `/scopes/${index}`, code: 'scope_not_allowed', message });
  return faults;
}

/** An exchange's key is that of one exchange, and may read nothing but what concerns it. */
function exchangeFaults(
  advertiser: string | null,
  exchange: string | null,
  role: ApiKeyInput['role'],
  scopes: ApiKeyInput['scopes'],
): Fault[] {
  if (exchange === null && role !== 'exchange') return [];
  if (exchange === null) return [{ pointer: '/exchange', code: 'required', message: 'the role exchange is that of one' }];
  const faults: Fault[] = [];
  if (advertiser !== null)
    faults.push({ pointer: '/advertiser', code: 'scope_not_allowed', message: 'an exchange’s key is no advertiser’s' });
  if (role !== null && role !== 'exchange')
    faults.push({ pointer: '/role', code: 'scope_not_allowed', message: 'an exchange’s key has the role exchange' });
  scopes.forEach((scope, index) => {
    if (scope !== 'exchanges:read')
      faults.push({
        pointer: `/scopes/${index}`,
        code: 'scope_not_allowed',
        message: 'an exchange’s key has exchanges:read only',
      });
  });
  return faults;
}

export function registerApiKeysRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, API_KEYS);
}
