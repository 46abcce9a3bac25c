import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AdEvent } from '../../proto/ad-event.ts';
import { AD_EVENT_STREAM } from '../../proto/keys.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let redis: TestRedis;
let folder: string;
beforeAll(async () => {
  redis = await startRedis();
  folder = await mkdtemp(join(tmpdir(), 'walkin-kill-'));
});
afterAll(async () => {
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

const IDENTIFIER = '0f8fad5b-d9cb-869f-a165-70867728950e';
const NOW = Date.UTC(2026, 10, 22);

function adEvent(type: 'bid' | 'billing', index: number): AdEvent {
  return {
    type,
    bid: `b${index}`,
    bidAt: NOW + index,
    at: NOW + index,
    exchange: 'ex',
    auction: `a${index}`,
    imp: '1',
    lineItem: 'li',
    campaign: 'cmp',
    advertiser: 'adv',
    creative: 'cr',
    store: '',
    identifier: IDENTIFIER,
    anchor: IDENTIFIER,
    price: 1_000_000,
    lease: '',
    test: false,
    currency: 'USD',
    offered: 1_000_000,
    multiplier: 1,
    deal: '',
    mtype: 1,
    clearing: null,
    cost: type === 'billing' ? 1000 : 0,
    lossReason: null,
    minToWin: null,
    metres: null,
  };
}

function start(mode: 'take' | 'count'): ChildProcess {
  const file = fileURLToPath(new URL('./ad-events-process.ts', import.meta.url));
  return spawn(process.execPath, ['--import', 'tsx', file, redis.path, join(folder, 'clickhouse'), mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function write(connection: Redis, from: number, to: number): Promise<void> {
  const pipeline = connection.pipeline();
  for (let i = from; i < to; i++) {
    // The bids of every third were lost with their worker: their billing tells of them.
    if (i % 3 !== 0) pipeline.xadd(AD_EVENT_STREAM, '*', 'e', JSON.stringify(adEvent('bid', i)));
    pipeline.xadd(AD_EVENT_STREAM, '*', 'e', JSON.stringify(adEvent('billing', i)));
  }
  await pipeline.exec();
}

test('an intake that is killed again and again while it takes ends with exact counts', async () => {
  const connection = redis.connect();
  let written = 0;
  for (const [index, ms] of [0, 60, 200].entries()) {
    const child = start('take');
    await once(child.stdout as NonNullable<typeof child.stdout>, 'data');
    for (let i = 0; i < 4; i++) {
      await write(connection, written, written + 1500);
      written += 1500;
    }
    await sleep(ms);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(written).toBe((index + 1) * 6000);
  }
  const child = start('count');
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  await once(child, 'exit');
  expect(JSON.parse(output.trim().split('\n').at(-1) ?? '')).toEqual([
    { type: 'bid', n: '18000', bids: '18000', cost: '0' },
    { type: 'billing', n: '18000', bids: '18000', cost: String(18_000 * 1000) },
  ]);
  expect(await connection.xlen(AD_EVENT_STREAM)).toBe(0);
}, 180_000);
