import { pino } from 'pino';
import { readSettings } from '../proto/settings.ts';
import { openDmp } from './open.ts';
import { clickhouseOf, DmpSettings } from './settings.ts';

const settings = readSettings(DmpSettings, process.env);
const log = pino({ name: 'dmp', level: settings.WALKIN_LOG_LEVEL });

const dmp = await openDmp({
  redisUrl: settings.REDIS_URL,
  clickhouse: clickhouseOf(settings),
  dataDir: settings.WALKIN_DATA_DIR,
  pepper: settings.WALKIN_PEPPER,
  adminKey: settings.WALKIN_ADMIN_KEY ?? null,
  host: settings.WALKIN_HOST,
  port: settings.WALKIN_API_PORT,
  metricsPort: settings.WALKIN_API_METRICS_PORT,
  log,
}).catch((error: unknown) => {
  log.fatal({ err: error }, 'the dmp cannot start');
  process.exit(1);
});

let isStopping = false;
const stop = async (signal: string): Promise<void> => {
  if (isStopping) return;
  isStopping = true;
  log.info({ signal }, 'stopping');
  await dmp.close();
  process.exit(0);
};
process.on('SIGTERM', (signal) => void stop(signal));
process.on('SIGINT', (signal) => void stop(signal));
