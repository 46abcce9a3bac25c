import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Warehouse } from './clickhouse/warehouse.ts';
import type { Jobs } from './jobs/jobs.ts';
import type { Things } from './things/things.ts';

/** What the parts of the dmp and the segmenter are given. Nothing else is reachable. */
export interface DmpDeps {
  readonly warehouse: Warehouse;
  /** State, streams, publication. */
  readonly redis: Redis;
  readonly things: Things;
  readonly jobs: Jobs;
  /** Tenant's secret under which identifiers are keyed. */
  readonly pepper: string;
  /** Folder for uploaded files. */
  readonly uploads: string;
  /** Files may be fetched from addresses that point inside: loopback, link-local, private. */
  readonly fetchInside?: boolean;
  /** Where ClickHouse finds the guard that it reads S3 through; absent: on this machine. */
  readonly guard?: { readonly host: string; readonly url: string };
  /** Our id in the IAB's Global Vendor List, by which consent strings of events are read; absent or 0: none. */
  readonly vendor?: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
}
