// What allowances of many line items cost one worker and its Redis: `node --expose-gc --import tsx test/bench/lease-process.ts 100000`.
// Ten line items a campaign, all kept warm; then a minute in which nobody bids, then one in which 1 in 100 does each second. The last
// line is one JSON object.
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { createLeases } from '../../bidder/leases/lease.ts';
import type { Spender } from '../../bidder/leases/spender.ts';
import { createMetrics } from '../../bidder/metrics.ts';
import { connectRedis, whenReady } from '../../bidder/redis.ts';
import { startRedis } from '../support/redis.ts';

const size = Number(process.argv[2] ?? 10_000);
const seconds = Number(process.argv[3] ?? 60);
const COST = 2_000;

const redis = await startRedis();
const client = redis.connect();
const connection = connectRedis(redis.path, { connectionName: 'bench' }, pino({ level: 'warn' }));
await whenReady(connection, 2_000);
const metrics = createMetrics();
const heapBefore = heapMb();
const leases = createLeases(connection, metrics, { worker: 'bench', workers: 2 });
let [asked, missed, longest] = [0, 0, 0];
let before = performance.now();
const watch = setInterval(() => {
  longest = Math.max(longest, performance.now() - before - 5);
  before = performance.now();
}, 5);

const since = performance.now();
leases.keepWarm(size, spenderAt);
while ((await granted()) < size) await sleep(20);
const warmMs = performance.now() - since;
const slotBytes = ((heapMb() - heapBefore) * 2 ** 20) / size;
const quiet = await during(async () => sleep(seconds * 1_000));
const busy = await during(async () => {
  for (let second = 0; second < seconds; second++) {
    for (let i = 0; i < size / 100; i++) bid(spenderAt(Math.floor(Math.random() * size)));
    await sleep(1_000);
  }
});
console.log(JSON.stringify({ lineItems: size, warmMs: Math.round(warmMs), slotBytes: Math.round(slotBytes), quiet, busy }));
clearInterval(watch);
await leases.close();
connection.disconnect();
await redis.stop();

function spenderAt(position: number): Spender {
  return {
    id: `li_${position}`,
    campaign: `cmp_${Math.floor(position / 10)}`,
    budget: { campaign: 1e12, total: 1e12, daily: position % 2 === 0 ? 1e12 : null },
    limited: true,
    start: 0,
    end: Date.UTC(2100, 0),
    data: null,
    bid: { maxCpm: 2_000_000, distance: null },
  };
}

function bid(spender: Spender): void {
  asked++;
  if (leases.free(spender, COST, Date.now()) < COST || leases.reserve(spender, COST, Date.now()) === null) missed++;
}

/** Shares of a core, calls a second, the longest time that nothing else could run, and the share of bids without an allowance. */
async function during(work: () => Promise<void>) {
  [asked, missed, longest] = [0, 0, 0];
  const own = process.cpuUsage();
  const [redisCpu, calls, start] = [await redisSeconds(), await scriptCalls(), performance.now()];
  await work();
  const elapsed = (performance.now() - start) / 1_000;
  const { user, system } = process.cpuUsage(own);
  return {
    workerCpu: round((user + system) / 1e6 / elapsed),
    redisCpu: round(((await redisSeconds()) - redisCpu) / elapsed),
    callsPerSecond: Math.round(((await scriptCalls()) - calls) / elapsed),
    longestMs: Math.round(longest),
    missed: asked === 0 ? 0 : round(missed / asked),
  };
}

async function granted(): Promise<number> {
  return (await metrics.leases.get()).values.find(({ labels }) => labels.result === 'granted')?.value ?? 0;
}

async function redisSeconds(): Promise<number> {
  return [...(await client.info('cpu')).matchAll(/^used_cpu_(?:user|sys):(\S+)/gm)].reduce(
    (sum, [, value]) => sum + Number(value),
    0,
  );
}

async function scriptCalls(): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0);
}

function heapMb(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

function round(value: number): number {
  return Number(value.toFixed(4));
}
