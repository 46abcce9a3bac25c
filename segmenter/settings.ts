import { Type } from 'typebox';
import { DmpSettings } from '../dmp/settings.ts';

/** Seconds between two refreshes. */
const WALKIN_REFRESH_SECONDS = Type.Number({ minimum: 1, maximum: 86_400, default: 60 });

const { properties } = DmpSettings;

/** The environment of a segmenter that is a process of its own. */
export const SegmenterSettings = Type.Object({
  REDIS_URL: properties.REDIS_URL,
  WALKIN_LOG_LEVEL: properties.WALKIN_LOG_LEVEL,
  WALKIN_HOST: properties.WALKIN_HOST,
  WALKIN_PEPPER: properties.WALKIN_PEPPER,
  WALKIN_OLD_PEPPERS: properties.WALKIN_OLD_PEPPERS,
  CLICKHOUSE_URL: properties.CLICKHOUSE_URL,
  WALKIN_CLICKHOUSE_DATABASE: properties.WALKIN_CLICKHOUSE_DATABASE,
  WALKIN_DATA_DIR: properties.WALKIN_DATA_DIR,
  WALKIN_SEGMENTER_METRICS_PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 9082 }),
  WALKIN_REFRESH_SECONDS,
});

/** The environment of a dmp and a segmenter in one process. */
export const EmbeddedSettings = Type.Object({ ...properties, WALKIN_REFRESH_SECONDS });
