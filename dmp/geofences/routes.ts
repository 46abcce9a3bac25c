import type { FastifyInstance } from 'fastify';
import type { DmpDeps } from '../deps.ts';
import type { Noun } from '../http/noun.ts';
import { referenceFault } from '../http/references.ts';
import { registerResource } from '../http/resource.ts';
import { fenceFaults } from './check-fence.ts';
import { Geofence } from './geofence.ts';

const GEOFENCES: Noun<'geofence', Geofence> = {
  kind: 'geofence',
  path: 'geofences',
  title: 'geofence',
  prefix: 'gf_',
  input: Geofence,
  read: 'geofences:read',
  write: 'geofences:write',
  immutable: ['advertiser'],
  filters: ['advertiser'],
  advertiserOf: (geofence) => geofence.advertiser,
  check: ({ advertiser, fence }, { deps: { things } }) => [
    ...referenceFault(things, 'advertiser', advertiser, '/advertiser', null),
    ...fenceFaults(fence, '/fence'),
  ],
};

export function registerGeofencesRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, GEOFENCES);
}
