import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { pepperRing } from '../proto/pepper.ts';
import { readSettings } from '../proto/settings.ts';
import { openDmp } from './open.ts';
import { clickhouseOf, DmpSettings } from './settings.ts';

/** What is not closed by then is safe to leave: every step is durable or will be done again. */
const PATIENCE_MS = 4_500;

const settings = readSettings(DmpSettings, process.env);
const log = pino({ name: 'dmp', level: settings.WALKIN_LOG_LEVEL });

const opening = openDmp({
  redisUrl: settings.REDIS_URL,
  clickhouse: clickhouseOf(settings, 'dmp'),
  dataDir: settings.WALKIN_DATA_DIR,
  pepper: pepperRing(settings.WALKIN_PEPPER, settings.WALKIN_OLD_PEPPERS),
  fetchInside: settings.WALKIN_FETCH_INSIDE,
  guardUrl: settings.WALKIN_GUARD_URL ?? null,
  vendor: settings.WALKIN_TCF_VENDOR_ID,
  adminKey: settings.WALKIN_ADMIN_KEY ?? null,
  host: settings.WALKIN_HOST,
  port: settings.WALKIN_API_PORT,
  metricsPort: settings.WALKIN_API_METRICS_PORT,
  log,
});

let isStopping = false;
const stop = async (signal: string): Promise<void> => {
  if (isStopping) return;
  isStopping = true;
  log.info({ signal }, 'stopping');
  await Promise.race([opening.then((dmp) => dmp.close()), sleep(PATIENCE_MS)]);
  process.exit(0);
};
process.on('SIGTERM', (signal) => void stop(signal));
process.on('SIGINT', (signal) => void stop(signal));

await opening.catch((error: unknown) => {
  log.fatal({ err: error }, 'the dmp cannot start');
  process.exit(1);
});
