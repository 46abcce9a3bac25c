import { join } from 'node:path';
import type { ChildSpec } from './child.ts';
import type { Config, Ports } from './config.ts';
import type { Secrets } from './secrets.ts';

/** Files that the supervisor starts; it imports none of them. */
export interface Entries {
  /** For Node itself, before the file. */
  readonly nodeArguments: readonly string[];
  readonly tether: string;
  readonly bidder: string;
  /** dmp and segmenter in one, for the embedded ClickHouse. */
  readonly embedded: string;
  readonly dmp: string;
  readonly segmenter: string;
  readonly pages: string;
  readonly city: string;
}

export interface NodeProcess extends ChildSpec {
  /** Shown while it starts. */
  readonly title: string;
  /** Port whose /readyz tells that it serves. */
  readonly readyPort: number;
}

export interface Wiring {
  readonly config: Config;
  /** All real: no 0 is left. */
  readonly ports: Ports;
  readonly redisUrl: string;
  readonly secrets: Secrets;
  readonly entries: Entries;
}

/** In the order of their start: who knows before who acts. */
export function nodeProcesses(wiring: Wiring): NodeProcess[] {
  const { config, ports, entries } = wiring;
  const data =
    config.clickhouseUrl === null
      ? [nodeProcess(wiring, 'data', 'Data process (admin API, segmenter, ClickHouse)', entries.embedded, ports.apiMetrics)]
      : [
          nodeProcess(wiring, 'dmp', 'Admin API', entries.dmp, ports.apiMetrics),
          nodeProcess(wiring, 'segmenter', 'Segmenter', entries.segmenter, ports.segmenterMetrics),
        ];
  return [
    ...data,
    nodeProcess(wiring, 'pages', 'Lookups of pages', entries.pages, ports.pagesMetrics),
    nodeProcess(wiring, 'bidder', `Bidder (${config.workers} workers)`, entries.bidder, ports.bidderMetrics),
  ];
}

function nodeProcess(wiring: Wiring, name: string, title: string, entry: string, readyPort: number): NodeProcess {
  return {
    name,
    title,
    readyPort,
    program: process.execPath,
    args: [...wiring.entries.nodeArguments, '--import', wiring.entries.tether, entry],
    env: environmentOf(wiring),
    log: join(wiring.config.data, 'logs', `${name}.log`),
  };
}

function environmentOf({ config, ports, redisUrl, secrets }: Wiring): NodeJS.ProcessEnv {
  return {
    ...config.env,
    // Embedded ClickHouse works on libuv's pool: with its usual 4 threads, four heavy queries stop all file access (measured).
    UV_THREADPOOL_SIZE: '16',
    TZ: 'UTC',
    REDIS_URL: redisUrl,
    WALKIN_DATA_DIR: config.data,
    WALKIN_HOST: config.host,
    WALKIN_BIDDER_PORT: String(ports.bidder),
    WALKIN_API_PORT: String(ports.api),
    WALKIN_PAGES_PORT: String(ports.pages),
    WALKIN_BIDDER_METRICS_PORT: String(ports.bidderMetrics),
    WALKIN_API_METRICS_PORT: String(ports.apiMetrics),
    WALKIN_SEGMENTER_METRICS_PORT: String(ports.segmenterMetrics),
    WALKIN_PAGES_METRICS_PORT: String(ports.pagesMetrics),
    WALKIN_BIDDER_WORKERS: String(config.workers),
    WALKIN_PEPPER: secrets.pepper,
    WALKIN_OLD_PEPPERS: (secrets.oldPeppers ?? []).join(' '),
    WALKIN_NOTICE_SECRET: secrets.noticeSecret,
    WALKIN_ADMIN_KEY: secrets.adminKey,
  };
}
