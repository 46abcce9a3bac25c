import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // The embedded ClickHouse breaks under worker threads.
    pool: 'forks',
    // Most tests wait for other processes half of the time.
    maxWorkers: '100%',
    include: ['test/**/*.test.ts'],
    // A machine with a load of twenty takes a minute to make a database, and half of one for an erasure; hooks have no second try.
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // Tests of whole processes share a machine that may stall for seconds. One that fails twice is broken; one that needed its second
    // try is listed as such, and is a fault to look at.
    retry: process.env['CI'] === undefined ? 0 : 1,
    env: { TZ: 'UTC', UV_THREADPOOL_SIZE: '16' },
  },
});
