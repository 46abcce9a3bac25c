import { pino } from 'pino';
import { buildMetricsApp } from '../dmp/http/metrics.ts';
import { openDeps } from '../dmp/open.ts';
import { clickhouseOf } from '../dmp/settings.ts';
import { pepperRing } from '../proto/pepper.ts';
import { readSettings } from '../proto/settings.ts';
import { startSegmenter } from './schedule.ts';
import { SegmenterSettings } from './settings.ts';
import { stopOnSignals } from './stop.ts';

const settings = readSettings(SegmenterSettings, process.env);
const log = pino({ name: 'segmenter', level: settings.WALKIN_LOG_LEVEL });
const closings: (() => Promise<unknown>)[] = [];
stopOnSignals(log, closings);

try {
  const options = {
    redisUrl: settings.REDIS_URL,
    clickhouse: clickhouseOf(settings, 'segmenter'),
    dataDir: settings.WALKIN_DATA_DIR,
    pepper: pepperRing(settings.WALKIN_PEPPER, settings.WALKIN_OLD_PEPPERS),
    log,
  };
  const deps = await openDeps(options, closings);
  const metrics = buildMetricsApp(deps);
  closings.push(() => metrics.close());
  await metrics.listen({ host: settings.WALKIN_HOST, port: settings.WALKIN_SEGMENTER_METRICS_PORT });
  const segmenter = await startSegmenter(deps, { refreshSeconds: settings.WALKIN_REFRESH_SECONDS });
  closings.push(() => segmenter.close());
  log.info({ refreshSeconds: settings.WALKIN_REFRESH_SECONDS }, 'the segmenter runs');
} catch (error) {
  log.fatal({ err: error }, 'the segmenter cannot start');
  process.exit(1);
}
