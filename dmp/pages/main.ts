import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { Type } from 'typebox';
import { pepperRing } from '../../proto/pepper.ts';
import { readSettings } from '../../proto/settings.ts';
import { openRedis } from '../redis.ts';
import { DmpSettings } from '../settings.ts';
import { buildPagesApp, buildPagesHealth } from './app.ts';
import { followOffers } from './offers-told.ts';

const PATIENCE_MS = 1_500;
const Port = (preset: number) => Type.Integer({ minimum: 0, maximum: 65_535, default: preset });
const { REDIS_URL, WALKIN_LOG_LEVEL, WALKIN_HOST, WALKIN_PEPPER, WALKIN_OLD_PEPPERS } = DmpSettings.properties;

const settings = readSettings(
  Type.Object({
    ...{ REDIS_URL, WALKIN_LOG_LEVEL, WALKIN_HOST, WALKIN_PEPPER, WALKIN_OLD_PEPPERS },
    WALKIN_PAGES_PORT: Port(8082),
    WALKIN_PAGES_METRICS_PORT: Port(9083),
  }),
  process.env,
);
const log = pino({ name: 'pages', level: settings.WALKIN_LOG_LEVEL });
const redis = openRedis(settings.REDIS_URL, log);
const closings: (() => Promise<unknown>)[] = [async () => redis.disconnect()];

let isStopping = false;
const stop = async (signal: string): Promise<void> => {
  if (isStopping) return;
  isStopping = true;
  log.info({ signal }, 'stopping');
  const closeAll = async (): Promise<void> => {
    for (const close of closings.toReversed()) await close();
  };
  await Promise.race([closeAll(), sleep(PATIENCE_MS)]);
  process.exit(0);
};
process.on('SIGTERM', (signal) => void stop(signal));
process.on('SIGINT', (signal) => void stop(signal));

try {
  const offers = await followOffers(redis, log);
  closings.push(async () => offers.close());
  const pepper = pepperRing(settings.WALKIN_PEPPER, settings.WALKIN_OLD_PEPPERS);
  const deps = { redis, offers, pepper, now: Date.now, log };
  const [app, health] = [buildPagesApp(deps), buildPagesHealth(deps)];
  const host = settings.WALKIN_HOST;
  closings.push(() => app.close());
  await app.listen({ host, port: settings.WALKIN_PAGES_PORT });
  // Last, since who finds this port ready calls the other next.
  closings.push(() => health.close());
  await health.listen({ host, port: settings.WALKIN_PAGES_METRICS_PORT });
  log.info({ host, port: settings.WALKIN_PAGES_PORT, metricsPort: settings.WALKIN_PAGES_METRICS_PORT }, 'pages are answered');
} catch (error) {
  log.fatal({ err: error }, 'pages cannot be answered');
  process.exit(1);
}
