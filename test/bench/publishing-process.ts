// Times the publication of everybody and of half of them. Argument: a PublishingTask; its last line is a Publishing. Started by
// `benchPublishing`.
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import type { Publishing, PublishingTask } from '../../load-tests/bench/publishing.ts';
import { plainThings } from '../support/plain-things.ts';

const task = JSON.parse(process.argv[2] as string) as PublishingTask;
const load = async <T>(path: string): Promise<T> => (await import(`${task.modules}${path}${task.extension}`)) as T;
// Not by import statements: the loader of this file would compile another code than the one that runs in production.
const { openWarehouse } = await load<typeof import('../../dmp/clickhouse/warehouse.ts')>('dmp/clickhouse/warehouse');
const { migrate } = await load<typeof import('../../dmp/clickhouse/migrate.ts')>('dmp/clickhouse/migrate');
const { publish } = await load<typeof import('../../segmenter/publish.ts')>('segmenter/publish');

const BY = { actor: 'bench' };
/** Each person is in one of so many of the segments. */
const SHARE = 4;
const PART = 5_000_000;

const redis = new Redis(task.redis);
const warehouse = await openWarehouse({ kind: 'embedded', path: join(task.folder, 'clickhouse'), database: 'walkin' });
await migrate(warehouse);
const things = plainThings();
const deps = { warehouse, redis, things, now: Date.now, log: pino({ level: 'silent' }) };
const segments = Array.from({ length: task.segments }, (_, n) => `seg_${n}`);

console.log(JSON.stringify(await time()));
redis.disconnect();
await warehouse.close();

async function time(): Promise<Publishing> {
  await putThings();
  await putPeople();
  await putVersion(1, `cityHash64(number, n) % ${SHARE} = 0`, '1');
  const all = await publish(deps, progress());
  tell('Everybody', all);
  // Half of the people enter or leave one segment, the others none.
  await putVersion(
    2,
    `number % 2 = 0 AND n = intDiv(number, 2) % ${task.segments}`,
    `if(cityHash64(number, n) % ${SHARE} = 0, -1, 1)`,
  );
  await redis.config('RESETSTAT');
  const cpu = process.cpuUsage();
  const changed = await publish(deps, progress());
  const { user, system } = process.cpuUsage(cpu);
  const calls = /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(await redis.info('commandstats'));
  console.log(
    `Redis: ${calls?.[1]} calls, ${(Number(calls?.[2]) / 1e6).toFixed(2)} s, ${(Number(calls?.[2]) / Number(calls?.[1]) / 1e3).toFixed(2)} ms each`,
  );
  tell('Those who changed', changed);
  console.log(
    `${((user + system) / 1e6).toFixed(1)} s of the processor beside Redis; nothing left to do: ${(await publish(deps)).profiles} people`,
  );
  return { publishS: Math.round(changed.seconds * 1_000) / 1_000, peakMb: Math.round(process.resourceUsage().maxRSS / 1024) };
}

/** Tells how far a publication is and how much memory it has, every few parts. */
function progress(): (done: number, total: number) => Promise<void> {
  const began = performance.now();
  return async (done, total) => {
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`  part ${done + 1} of ${total} after ${seconds} s; ${Math.round(process.memoryUsage.rss() / 1024 ** 2)} MB`);
  };
}

function tell(who: string, { profiles, identifiers, seconds }: Awaited<ReturnType<typeof publish>>): void {
  console.log(
    `${who}: ${profiles.toLocaleString('en')} people, ${identifiers.toLocaleString('en')} values, in ${seconds.toFixed(2)} s`,
  );
}

async function putThings(): Promise<void> {
  const flight = { start: '2020-01-01T00:00:00Z', end: '2100-01-01T00:00:00Z' };
  for (const [n, id] of segments.entries())
    await things.put('segment', id, { advertiser: null, name: id, rule: { pages: {} }, number: n + 1 } as never, BY);
  await things.put('campaign', 'live', { advertiser: 'adv', name: 'live', status: 'active', ...flight } as never, BY);
  const lineItem = { campaign: 'live', name: 'all', status: 'active', targeting: { segments: [segments] } };
  await things.put('line-item', 'all', lineItem as never, BY);
}

async function putPeople(): Promise<void> {
  await warehouse.command({
    sql: `INSERT INTO identities (identifier, kind, profile, anchor, version)
      SELECT reinterpret(MD5(toString(number)), 'UUID') AS key, 'ifa', toUInt32(number + 1), key, 1 FROM numbers(${task.people})`,
  });
}

/** Rows of the pairs of person (`number`) and segment (`n`) that `chosen` is true of. */
async function putVersion(version: number, chosen: string, status: string): Promise<void> {
  const each = Math.ceil(PART / task.segments);
  for (let from = 0; from < task.people; from += each)
    await warehouse.command(
      {
        sql: `INSERT INTO memberships (segment, profile, version, status, at) SETTINGS insert_deduplicate = 0
          SELECT concat('seg_', toString(n)), toUInt32(number + 1), ${version}, ${status}, now64(3)
          FROM (SELECT number, arrayJoin(range(${task.segments})) AS n FROM numbers(${from}, ${Math.min(each, task.people - from)}))
          WHERE ${chosen}`,
      },
      { seconds: 300 },
    );
  const started = new Date().toISOString();
  const run = { version, revision: 1, started, seconds: 0, members: 0, entered: 0, left_count: 0, error: '' };
  await warehouse.insert(
    'segment_runs',
    segments.map((segment) => ({ ...run, segment })),
  );
}
