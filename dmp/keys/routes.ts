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
  immutable: ['advertiser'],
  filters: ['advertiser'],
  advertiserOf: (key) => key.advertiser,
  check: ({ advertiser, scopes }, { deps: { things } }) =>
    advertiser === null
      ? []
      : [...referenceFault(things, 'advertiser', advertiser, '/advertiser', null), ...boundScopeFaults(scopes)],
  issue: (input, { id }) => {
    const { key, hash } = issueSecret(id);
    return { body: { ...input, hash }, once: { key } };
  },
  store: (input, { current }) => ({ ...input, hash: current?.body.hash ?? '' }),
};

function boundScopeFaults(scopes: ApiKeyInput['scopes']): Fault[] {
  const index = scopes.indexOf('admin');
  if (index < 0) return [];
  return [{ pointer: `/scopes/${index}`, code: 'scope_not_allowed', message: 'admin is for keys of no advertiser' }];
}

export function registerApiKeysRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, API_KEYS);
}
