import type { FastifyInstance } from 'fastify';
import type { DmpDeps } from '../deps.ts';
import type { Noun } from '../http/noun.ts';
import { referenceFault, referenceFaults } from '../http/references.ts';
import { registerResource } from '../http/resource.ts';
import { checkStore } from './check-store.ts';
import { Store } from './store.ts';
import { StoreGroup } from './store-group.ts';

const STORES: Noun<'store', Store> = {
  kind: 'store',
  path: 'stores',
  title: 'store',
  prefix: 'st_',
  input: Store,
  read: 'stores:read',
  write: 'stores:write',
  immutable: ['advertiser'],
  filters: ['advertiser'],
  advertiserOf: (store) => store.advertiser,
  check: (store, { deps }) => checkStore(store, deps.things),
};

const STORE_GROUPS: Noun<'store-group', StoreGroup> = {
  kind: 'store-group',
  path: 'store-groups',
  title: 'store group',
  prefix: 'sg_',
  input: StoreGroup,
  read: 'stores:read',
  write: 'stores:write',
  immutable: ['advertiser'],
  filters: ['advertiser'],
  advertiserOf: (group) => group.advertiser,
  check: ({ advertiser, stores }, { deps: { things } }) => [
    ...referenceFault(things, 'advertiser', advertiser, '/advertiser', null),
    ...referenceFaults(things, 'store', stores, '/stores', advertiser),
  ],
};

export function registerStoresRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, STORES);
  registerResource(app, deps, STORE_GROUPS);
}
