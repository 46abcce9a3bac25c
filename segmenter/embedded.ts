import { pino } from 'pino';
import { openDmp } from '../dmp/open.ts';
import { clickhouseOf } from '../dmp/settings.ts';
import { pepperRing } from '../proto/pepper.ts';
import { readSettings } from '../proto/settings.ts';
import { startSegmenter } from './schedule.ts';
import { EmbeddedSettings } from './settings.ts';
import { stopOnSignals } from './stop.ts';

// The embedded ClickHouse allows one process a data folder, so here the dmp and the segmenter are one.
const settings = readSettings(EmbeddedSettings, process.env);
const log = pino({ name: 'data', level: settings.WALKIN_LOG_LEVEL });
const closings: (() => Promise<unknown>)[] = [];
stopOnSignals(log, closings);

try {
  const dmp = await openDmp({
    redisUrl: settings.REDIS_URL,
    clickhouse: clickhouseOf(settings, 'segmenter'),
    dataDir: settings.WALKIN_DATA_DIR,
    pepper: pepperRing(settings.WALKIN_PEPPER, settings.WALKIN_OLD_PEPPERS),
    fetchInside: settings.WALKIN_FETCH_INSIDE,
    vendor: settings.WALKIN_TCF_VENDOR_ID,
    adminKey: settings.WALKIN_ADMIN_KEY ?? null,
    host: settings.WALKIN_HOST,
    port: settings.WALKIN_API_PORT,
    metricsPort: settings.WALKIN_API_METRICS_PORT,
    log,
  });
  closings.push(() => dmp.close());
  const segmenter = await startSegmenter(dmp.deps, { refreshSeconds: settings.WALKIN_REFRESH_SECONDS });
  closings.push(() => segmenter.close());
} catch (error) {
  log.fatal({ err: error }, 'the dmp and the segmenter cannot start');
  process.exit(1);
}
