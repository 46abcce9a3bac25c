import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { type Static, Type } from 'typebox';
import { readSettings, SettingsError } from '../proto/settings.ts';
import { StartError } from './start-error.ts';

const Port = (port: number) => Type.Integer({ minimum: 0, maximum: 65535, default: port });

/** Of the environment; each flag stands for one of them. The rest of the environment goes to the processes as it is. */
const Settings = Type.Object({
  WALKIN_DATA_DIR: Type.String({ default: './data' }),
  WALKIN_HOST: Type.String({ default: '127.0.0.1' }),
  WALKIN_BIDDER_PORT: Port(8080),
  WALKIN_API_PORT: Port(8081),
  WALKIN_PAGES_PORT: Port(8082),
  WALKIN_BIDDER_METRICS_PORT: Port(9080),
  WALKIN_API_METRICS_PORT: Port(9081),
  WALKIN_SEGMENTER_METRICS_PORT: Port(9082),
  WALKIN_PAGES_METRICS_PORT: Port(9083),
  WALKIN_BIDDER_WORKERS: Type.Integer({ minimum: 0, maximum: 1024, default: 0 }),
  REDIS_URL: Type.Optional(Type.String()),
  CLICKHOUSE_URL: Type.Optional(Type.String()),
});

/** Flag → variable. */
const FLAGS = {
  data: 'WALKIN_DATA_DIR',
  bidderPort: 'WALKIN_BIDDER_PORT',
  apiPort: 'WALKIN_API_PORT',
  pagesPort: 'WALKIN_PAGES_PORT',
  bidderMetricsPort: 'WALKIN_BIDDER_METRICS_PORT',
  apiMetricsPort: 'WALKIN_API_METRICS_PORT',
  segmenterMetricsPort: 'WALKIN_SEGMENTER_METRICS_PORT',
  pagesMetricsPort: 'WALKIN_PAGES_METRICS_PORT',
  workers: 'WALKIN_BIDDER_WORKERS',
} as const;

export interface Ports {
  readonly bidder: number;
  readonly api: number;
  readonly pages: number;
  readonly bidderMetrics: number;
  readonly apiMetrics: number;
  readonly pagesMetrics: number;
  /** Only where the segmenter is a process of its own. */
  readonly segmenterMetrics: number;
}

export interface Config {
  /** Absolute. */
  readonly data: string;
  /** Address to listen on. */
  readonly host: string;
  /** 0 = a free one. */
  readonly ports: Ports;
  readonly workers: number;
  readonly redisUrl: string | null;
  readonly clickhouseUrl: string | null;
  /** Start without the demo. */
  readonly empty: boolean;
  /** What the processes are given besides. */
  readonly env: NodeJS.ProcessEnv;
}

/** Flags win over the environment. Throws StartError with all faults at once. */
export function readConfig(args: readonly string[], env: NodeJS.ProcessEnv): Config {
  const flags = readFlags(args);
  const given = { ...env };
  for (const [flag, name] of Object.entries(FLAGS)) {
    const value = flags[flag];
    if (typeof value === 'string') given[name] = value;
  }
  const settings = settingsOf(given);
  return {
    data: resolve(settings.WALKIN_DATA_DIR),
    host: settings.WALKIN_HOST,
    ports: {
      bidder: settings.WALKIN_BIDDER_PORT,
      api: settings.WALKIN_API_PORT,
      pages: settings.WALKIN_PAGES_PORT,
      bidderMetrics: settings.WALKIN_BIDDER_METRICS_PORT,
      apiMetrics: settings.WALKIN_API_METRICS_PORT,
      pagesMetrics: settings.WALKIN_PAGES_METRICS_PORT,
      segmenterMetrics: settings.WALKIN_SEGMENTER_METRICS_PORT,
    },
    workers: settings.WALKIN_BIDDER_WORKERS || availableParallelism(),
    redisUrl: settings.REDIS_URL ?? null,
    clickhouseUrl: settings.CLICKHOUSE_URL ?? null,
    empty: flags['empty'] === true,
    env,
  };
}

function settingsOf(env: NodeJS.ProcessEnv): Static<typeof Settings> {
  try {
    return readSettings(Settings, env);
  } catch (error) {
    if (error instanceof SettingsError) throw new StartError(error.message);
    throw error;
  }
}

function readFlags(args: readonly string[]): Record<string, unknown> {
  return new Command('npm start --')
    .description('Starts Redis, the data process and the bidder, and stays until Ctrl-C.')
    .option('--empty', 'start without the demo')
    .option('--data <folder>', 'data folder (WALKIN_DATA_DIR, ./data)')
    .option('--bidder-port <port>', 'OpenRTB and notices (WALKIN_BIDDER_PORT, 8080); 0 picks a free port')
    .option('--api-port <port>', 'admin API (WALKIN_API_PORT, 8081)')
    .option('--pages-port <port>', 'lookups of pages (WALKIN_PAGES_PORT, 8082)')
    .option('--bidder-metrics-port <port>', 'health and metrics of the bidder (WALKIN_BIDDER_METRICS_PORT, 9080)')
    .option('--api-metrics-port <port>', 'health and metrics of the data process (WALKIN_API_METRICS_PORT, 9081)')
    .option('--segmenter-metrics-port <port>', 'with CLICKHOUSE_URL only (WALKIN_SEGMENTER_METRICS_PORT, 9082)')
    .option('--pages-metrics-port <port>', 'health and metrics of the lookups (WALKIN_PAGES_METRICS_PORT, 9083)')
    .option('--workers <n>', 'bidder workers (WALKIN_BIDDER_WORKERS); 0 is one a core')
    .allowExcessArguments(false)
    .parse([...args], { from: 'user' })
    .opts();
}
