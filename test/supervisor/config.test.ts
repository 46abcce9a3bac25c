import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig } from '../../supervisor/config.ts';

test('without flags and environment the defaults hold', () => {
  const config = readConfig([], {});
  expect(config.ports).toEqual({
    ...{ bidder: 8080, api: 8081, pages: 8082 },
    ...{ bidderMetrics: 9080, apiMetrics: 9081, segmenterMetrics: 9082, pagesMetrics: 9083 },
  });
  expect(config.data).toBe(resolve('data'));
  expect(config.host).toBe('127.0.0.1');
  expect(config.empty).toBe(false);
  expect(config.redisUrl).toBeNull();
  expect(config.workers).toBeGreaterThan(0);
});

test('a flag wins over its variable', () => {
  const config = readConfig(['--api-port', '0', '--workers', '3'], { WALKIN_API_PORT: '5', WALKIN_BIDDER_PORT: '6' });
  expect(config.ports.api).toBe(0);
  expect(config.ports.bidder).toBe(6);
  expect(config.workers).toBe(3);
});

test('all faults of the settings are told at once', () => {
  const read = () => readConfig(['--api-port', 'many'], { WALKIN_BIDDER_PORT: '70000' });
  expect(read).toThrow('WALKIN_API_PORT: must be integer');
  expect(read).toThrow('WALKIN_BIDDER_PORT: must be <= 65535');
});

test('an empty variable counts as absent', () => {
  expect(readConfig([], { REDIS_URL: '', CLICKHOUSE_URL: '' })).toMatchObject({ redisUrl: null, clickhouseUrl: null });
});
