import type { FastifyInstance } from 'fastify';
import { registerAdvertisersRoutes } from './advertisers/routes.ts';
import { useAudit } from './audit/record.ts';
import { registerAuditRoutes } from './audit/routes.ts';
import { registerCampaignsRoutes } from './campaigns/routes.ts';
import { registerConsentsRoutes } from './consents/routes.ts';
import { registerCreativeLifeRoutes } from './creatives/routes.ts';
import { registerDebugRoutes } from './debug/routes.ts';
import type { DmpDeps } from './deps.ts';
import { registerLookupRoutes } from './destinations/lookup-routes.ts';
import { registerDestinationsRoutes } from './destinations/routes.ts';
import { registerErasuresRoutes } from './erasures/routes.ts';
import { registerEventRoutes } from './events/routes.ts';
import { registerExchangesRoutes } from './exchanges/routes.ts';
import { registerGeofencesRoutes } from './geofences/routes.ts';
import { createApi, useRedisGuard } from './http/api.ts';
import { useApiDocs } from './http/api-docs.ts';
import { registerHealth } from './http/health.ts';
import { useIdempotency } from './http/idempotency.ts';
import { useJson } from './http/json-body.ts';
import { registerIdentityRoutes } from './identity/routes.ts';
import { registerImportRoutes } from './imports/routes.ts';
import { registerInventoryListRoutes } from './inventory-lists/routes.ts';
import { registerJobRoutes } from './jobs/routes.ts';
import { useAuthentication } from './keys/authenticate.ts';
import { useRateLimit } from './keys/rate-limit.ts';
import { registerApiKeysRoutes } from './keys/routes.ts';
import { registerListsRoutes } from './lists/routes.ts';
import { registerProfilesRoutes } from './profiles/routes.ts';
import { registerQuarantineRoutes } from './quarantine/routes.ts';
import { registerRatesRoutes } from './rates/routes.ts';
import { registerReportsRoutes } from './reports/routes.ts';
import { registerEstimateRoute } from './segments/estimate-routes.ts';
import { registerInsightRoutes } from './segments/insight-routes.ts';
import { registerLookalikesRoutes } from './segments/lookalike-routes.ts';
import { registerSegmentsRoutes } from './segments/routes.ts';
import { registerSegmentUsesRoutes } from './segments/uses-routes.ts';
import { registerSegmentVersionsRoutes } from './segments/versions-routes.ts';
import { registerSnapshotRoutes } from './snapshot/routes.ts';
import { registerSourcesRoutes } from './sources/routes.ts';
import { registerStoresRoutes } from './stores/routes.ts';
import { registerSupplyRoutes } from './supply/routes.ts';

export interface AppOptions {
  /** A key that may do everything, beside those that are kept as things; null: none. */
  readonly adminKey: string | null;
}

const BODY_LIMIT = 1024 * 1024;

/** The admin API. Knows no clock, no environment and no port: tests call it with `inject`. */
export function buildApp(deps: DmpDeps, options: AppOptions): FastifyInstance {
  const app = createApi(deps.log, BODY_LIMIT);
  useAuthentication(app, (id) => deps.things.get('api-key', id)?.body, options.adminKey);
  useRateLimit(app, deps.redis);
  useAudit(app, deps);
  useRedisGuard(app, deps.redis);
  useIdempotency(app, deps.redis);
  useJson(app);
  useApiDocs(app);
  app.register(async (api) => registerRoutes(api, deps));
  return app;
}

function registerRoutes(api: FastifyInstance, deps: DmpDeps): void {
  registerHealth(api, deps);
  registerAdvertisersRoutes(api, deps);
  registerStoresRoutes(api, deps);
  registerGeofencesRoutes(api, deps);
  registerSourcesRoutes(api, deps);
  registerConsentsRoutes(api, deps);
  registerErasuresRoutes(api, deps);
  registerProfilesRoutes(api, deps);
  registerEventRoutes(api, deps);
  registerImportRoutes(api, deps);
  registerQuarantineRoutes(api, deps);
  registerSegmentsRoutes(api, deps);
  registerSegmentUsesRoutes(api, deps);
  registerSegmentVersionsRoutes(api, deps);
  registerEstimateRoute(api, deps);
  registerInsightRoutes(api, deps);
  registerLookalikesRoutes(api, deps);
  registerDestinationsRoutes(api, deps);
  registerLookupRoutes(api, deps);
  registerExchangesRoutes(api, deps);
  registerSupplyRoutes(api, deps);
  registerInventoryListRoutes(api, deps);
  registerListsRoutes(api, deps);
  registerCampaignsRoutes(api, deps);
  registerCreativeLifeRoutes(api, deps);
  registerSnapshotRoutes(api, deps);
  registerDebugRoutes(api, deps);
  registerRatesRoutes(api, deps);
  registerReportsRoutes(api, deps);
  registerIdentityRoutes(api, deps);
  registerJobRoutes(api, deps);
  registerApiKeysRoutes(api, deps);
  registerAuditRoutes(api, deps);
}
