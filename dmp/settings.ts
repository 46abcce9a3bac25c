import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import type { WarehouseOptions } from './clickhouse/warehouse.ts';

const Port = (preset: number) => Type.Integer({ minimum: 0, maximum: 65_535, default: preset });

/** The environment of a dmp, read once in its `main.ts`. */
export const DmpSettings = Type.Object({
  /** redis://… or the path of a unix socket. */
  REDIS_URL: Type.String({ default: 'redis://127.0.0.1:6379' }),
  WALKIN_LOG_LEVEL: Type.String({ default: 'info' }),
  WALKIN_HOST: Type.String({ default: '127.0.0.1' }),
  WALKIN_PEPPER: Type.String({ minLength: 16 }),
  /** Peppers of before that are still honoured, separated by spaces, the newest first. */
  WALKIN_OLD_PEPPERS: Type.String({ default: '' }),
  /** http://… of a server; without it the engine is embedded, in the data folder. */
  CLICKHOUSE_URL: Type.Optional(Type.String({ pattern: '^https?://\\S+$' })),
  WALKIN_CLICKHOUSE_DATABASE: Type.String({ default: 'walkin', pattern: '^[a-z_][a-z0-9_]{0,63}$' }),
  WALKIN_DATA_DIR: Type.String({ default: './data' }),
  /** true: imports may be fetched from addresses that point inside (loopback, link-local, private). */
  WALKIN_FETCH_INSIDE: Type.Boolean({ default: false }),
  /** With a server on another machine: where it finds this dmp to read S3 through, http://dmp:8083; that port is listened on. */
  WALKIN_GUARD_URL: Type.Optional(Type.String({ pattern: '^http://[^/\\s]+/?$' })),
  /** Our id in the IAB's Global Vendor List, as the bidder has it; 0: none, so that no event with a TCF string is taken. */
  WALKIN_TCF_VENDOR_ID: Type.Integer({ minimum: 0, maximum: 65_535, default: 0 }),
  WALKIN_API_PORT: Port(8081),
  WALKIN_API_METRICS_PORT: Port(9081),
  /** The first key, scope admin. */
  WALKIN_ADMIN_KEY: Type.Optional(Type.String({ minLength: 16 })),
});
export type DmpSettings = Static<typeof DmpSettings>;

type ClickhouseSettings = Pick<DmpSettings, 'CLICKHOUSE_URL' | 'WALKIN_CLICKHOUSE_DATABASE' | 'WALKIN_DATA_DIR'>;

/** `owner`: the name of the process that asks. */
export function clickhouseOf(settings: ClickhouseSettings, owner: string): WarehouseOptions {
  const database = settings.WALKIN_CLICKHOUSE_DATABASE;
  return settings.CLICKHOUSE_URL === undefined
    ? { kind: 'embedded', path: join(settings.WALKIN_DATA_DIR, 'clickhouse'), database }
    : { kind: 'server', url: settings.CLICKHOUSE_URL, database, owner };
}
