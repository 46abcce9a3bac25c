import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openWarehouse } from '../../dmp/clickhouse/warehouse.ts';
import { createKeyring } from '../../dmp/events/keyring.ts';
import { profileKey } from '../../proto/keys.ts';
import { decodeProfile } from '../../proto/profile.ts';
import { createDataProcess, type DataProcess } from '../support/data-process.ts';

/** More, at any moment: WALKIN_KILLS=20 npx vitest run test/segmenter/kill.test.ts */
const MORE = Number(process.env['WALKIN_KILLS'] ?? 0);
const PEOPLE = 300;

let data: DataProcess;
let redis: Redis;
beforeAll(async () => {
  data = await createDataProcess('segmenter/embedded.ts', { WALKIN_REFRESH_SECONDS: '86400' });
  redis = data.redis.connect();
  await redis.config('SET', 'notify-keyspace-events', 'Kh');
});
afterAll(() => data.close());

const json = async <T>(method: string, path: string, body?: object): Promise<T> => {
  const headers = { 'content-type': 'application/json', 'if-match': '*' };
  const answer = await data.call(
    method,
    path,
    body === undefined ? undefined : JSON.stringify(body),
    body === undefined ? undefined : headers,
  );
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
};

const phone = (n: number) => ({ kind: 'ifa' as const, value: `11111111-2222-4333-8444-${String(n).padStart(12, '0')}` });
const everybody = Array.from({ length: PEOPLE }, (_, n) => n);
const vipsOf = (round: number): number[] => everybody.filter((n) => (n * 7 + round * 11) % 5 < 2);

/** Says of everybody whether they are a vip in this round, and of some of them that they bought. */
async function tell(round: number): Promise<void> {
  const at = new Date(Date.UTC(2026, 9, 1) + round * 60_000).toISOString();
  const vips = new Set(vipsOf(round));
  const events = everybody.flatMap((n) => [
    { type: 'identify', at, identifiers: [phone(n)], attributes: { vip: vips.has(n) ? 1 : 0 } },
    ...(n % 3 === 0
      ? [{ type: 'purchase', id: `r${round}-${n}`, at, identifiers: [phone(n)], lines: [{ amountMicros: 1 }] }]
      : []),
  ]);
  expect(await json('POST', '/v1/events', events)).toMatchObject({ quarantined: 0 });
}

/** Begins to wait for a moment of the refresh that is asked for next; what it gives waits for that. */
type Moment = () => Promise<(job: string) => Promise<void>>;

/** Its state in Redis is written. */
const written =
  (key: string): Moment =>
  async () => {
    const hears = data.redis.connect();
    const met = new Promise<void>((resolve) => hears.on('message', () => resolve()));
    await hears.subscribe(`__keyspace@0__:${key}`);
    return async () => {
      await met;
      hears.disconnect();
    };
  };

const inStage =
  (stage: string): Moment =>
  async () =>
  async (job) => {
    for (;;) {
      const [progress, finished] = await redis.hmget(`{walkin-jobs}:segmenter:${job}`, 'progress', 'finishedOn');
      if (finished != null || (progress != null && (JSON.parse(progress) as { stage?: string }).stage === stage)) return;
      await sleep(1);
    }
  };

const MOMENTS: readonly (readonly [string, Moment])[] = [
  ['while facts are folded', inStage('facts')],
  ['while members are written', written('walkin:segmenter:evaluated-begun')],
  ['between evaluation and publication', written('walkin:segmenter:evaluated-segments')],
  ...Array.from({ length: MORE }, (_, n) => [`at some moment (${n})`, async () => () => sleep(Math.random() * 1_500)] as const),
];

test('a process that is killed on its way from facts to bidders goes on where it was, and nobody is in twice', async () => {
  await data.start();
  await json('PUT', '/v1/advertisers/adv', { name: 'A', domains: ['a.example'] });
  const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z', status: 'active', budgetMicros: null };
  await json('PUT', '/v1/campaigns/c', { advertiser: 'adv', name: 'C', ...flight, holdout: null });
  const html = '<a href="${CLICK_URL}">x</a>';
  await json('PUT', '/v1/creatives/cr', { advertiser: 'adv', name: 'R', w: 300, h: 250, html, landing: 'https://a.example/' });
  const vip = { attribute: { name: 'vip', min: 1 } };
  const rules = { vips: vip, others: { not: { segment: 'vips' } }, buyers: { all: [{ purchases: {} }, vip] } };
  const numbers = new Map<string, number>();
  for (const [id, rule] of Object.entries(rules))
    numbers.set(id, (await json<{ number: number }>('PUT', `/v1/segments/${id}`, { name: id, rule, minimumSize: 1 })).number);
  const item = { campaign: 'c', name: 'L', status: 'active', budget: {}, bid: { maxCpmMicros: 1_000 }, creatives: ['cr'] };
  for (const segment of Object.keys(rules))
    await json('PUT', `/v1/line-items/of-${segment}`, { ...item, targeting: { segments: [[segment]] } });
  await tell(0);
  await done((await json<{ id: string }>('POST', '/v1/refresh')).id);
  await expectRight(0, numbers);

  for (const [at, [name, moment]] of MOMENTS.entries()) {
    const round = at + 1;
    await tell(round);
    const met = await moment();
    const { id } = await json<{ id: string }>('POST', '/v1/refresh');
    await met(id);
    await data.kill();
    // The job is taken back when its worker has been silent for long: so it is now.
    await redis.del(`{walkin-jobs}:segmenter:${id}:lock`);
    await data.start();
    await done(id);
    await expectRight(round, numbers, name);
  }

  // What is stored: each way in and out follows one on the other, and members are those that entered and did not leave.
  await data.end();
  const warehouse = await openWarehouse({ kind: 'embedded', path: join(data.folder, 'clickhouse'), database: 'walkin' });
  try {
    const ways = await warehouse.query<{ segment: string; profile: number; way: number[] }>({
      sql: `SELECT segment, profile, arrayMap(x -> x.2, arraySort(groupArray((version, status)))) AS way
        FROM memberships FINAL GROUP BY segment, profile`,
    });
    expect(ways.length).toBeGreaterThan(PEOPLE);
    expect(ways.filter(({ way }) => way.some((status, n) => status === (way[n - 1] ?? -1)))).toEqual([]);
    const doubled = 'SELECT count() AS n, uniqExact(shard, profile, kind, id) AS facts FROM facts';
    const [{ n, facts } = { n: '', facts: '-' }] = await warehouse.query<{ n: string; facts: string }>({ sql: doubled });
    expect(n).toBe(facts);
  } finally {
    await warehouse.close();
  }
}, 600_000);

const done = (job: string) =>
  vi.waitFor(async () => expect(await json('GET', `/v1/jobs/${job}`)).toMatchObject({ state: 'succeeded' }), {
    timeout: 180_000,
    interval: 100,
  });

/** Sizes, and what bidders read of each person. */
async function expectRight(round: number, numbers: ReadonlyMap<string, number>, name = 'at first'): Promise<void> {
  const vips = new Set(vipsOf(round));
  const of = (n: number): string[] => [
    ...(vips.has(n) ? ['vips'] : ['others']),
    ...(vips.has(n) && n % 3 === 0 ? ['buyers'] : []),
  ];
  for (const segment of numbers.keys()) {
    const { size, state } = await json<{ size: number; state: string }>('GET', `/v1/segments/${segment}`);
    expect({ size, state }, `${segment} ${name}`).toEqual({
      size: everybody.filter((n) => of(n).includes(segment)).length,
      state: 'ready',
    });
  }
  const keyring = createKeyring('a pepper of the tests');
  const values = await redis.mgetBuffer(everybody.map((n) => profileKey(keyring.keyOf('ifa', phone(n).value) as string)));
  const told = values.map((value) =>
    value === null
      ? null
      : decodeProfile(value)
          ?.memberships.map(({ segment }) => segment)
          .sort(),
  );
  expect(told, name).toEqual(
    everybody.map((n) =>
      of(n)
        .map((segment) => numbers.get(segment))
        .sort(),
    ),
  );
}
