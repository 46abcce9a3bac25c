// Times the resolution of identities and opt-outs. Argument: an IdentityTask; its last line is an IdentityTiming. Started by
// `npm run bench identity`.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import type { IdentityTask, IdentityTiming } from '../../load-tests/bench/identity.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { profileKey } from '../../proto/keys.ts';
import { encodeProfile, hourOf, type PublishedProfile } from '../../proto/profile.ts';
import { plainThings } from '../support/plain-things.ts';

const task = JSON.parse(process.argv[2] as string) as IdentityTask;
const load = async <T>(path: string): Promise<T> => (await import(`${task.modules}${path}${task.extension}`)) as T;
// Not by import statements: the loader of this file would compile another code than the one that runs in production.
const { openWarehouse } = await load<typeof import('../../dmp/clickhouse/warehouse.ts')>('dmp/clickhouse/warehouse');
const { migrate } = await load<typeof import('../../dmp/clickhouse/migrate.ts')>('dmp/clickhouse/migrate');
const { createIdentity } = await load<typeof import('../../segmenter/identity.ts')>('segmenter/identity');
const { optOut } = await load<typeof import('../../dmp/opt-out/opt-out.ts')>('dmp/opt-out/opt-out');

const MINUTE = 60_000;
/** Identifiers of a person, and devices that a town shares. */
const OF_ONE = 5;
const SHARED = 20;
const ROUNDS = 3;

const redis = new Redis(task.redis);
const warehouse = await openWarehouse({ kind: 'embedded', path: join(task.folder, 'clickhouse'), database: 'walkin' });
await migrate(warehouse);
let clock = Date.now() - 120 * MINUTE;
const deps = { warehouse, redis, things: plainThings(), now: () => clock, log: pino({ level: 'silent' }) };
const identity = createIdentity(deps);
const persons = Math.floor(task.identifiers / OF_ONE);

console.log(JSON.stringify(await time()));
redis.disconnect();
await warehouse.close();

async function time(): Promise<IdentityTiming> {
  await putBase();
  clock += 61 * MINUTE;
  const before = process.memoryUsage().rss;
  const cpu = cpuClock();
  const full = await identity.fold();
  console.log(
    `Everybody: ${count(full.identifiers)} identifiers, ${count(full.edges)} edges, ${count(full.made)} profiles, ${full.shared} shared, in ${full.seconds.toFixed(2)} s (${cpu()} s of the processor); ${megabytes(before)} MB before, ${megabytes(process.resourceUsage().maxRSS * 1024)} MB at most`,
  );
  // What came last is looked at once more before it counts as settled.
  for (let again = 0; again < 2; again++) {
    clock += 3 * MINUTE;
    await identity.fold();
  }
  const incremental: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await putNews(round);
    clock += 1_000;
    const cpu = cpuClock();
    const { seconds, identifiers, full: isFull, merged } = await identity.fold();
    incremental.push(seconds);
    console.log(
      `1 % new edges: ${count(identifiers)} identifiers looked at, ${count(merged)} merges, in ${seconds.toFixed(2)} s (${cpu()} s of the processor)${isFull ? ' (all of them)' : ''}`,
    );
    for (let again = 0; again < 2; again++) {
      clock += 3 * MINUTE;
      await identity.fold();
    }
  }
  const optOuts = await timeOptOuts();
  return {
    fullS: round3(full.seconds),
    incrementalS: round3(incremental.sort((a, b) => a - b)[1] as number),
    optOutP95S: round3(optOuts[Math.floor(optOuts.length * 0.95)] as number),
  };
}

/** Of each person five identifiers, joined by 7.5 edges of two sources; and devices that thousands share. */
async function putBase(): Promise<void> {
  const crowd = Math.min(5_000, Math.floor(persons / 10));
  const each = (task.edges - SHARED * crowd) / persons;
  const since = performance.now();
  await put(
    `SELECT number AS n, intDiv(n * ${persons}, ${Math.round(each * persons)}) AS person, n - intDiv(person * ${Math.round(each * persons)} + ${persons - 1}, ${persons}) AS at,
      (at % 4) + 1 AS other, toUInt8(at >= 4) AS second FROM numbers(${Math.round(each * persons)})`,
    { a: 'person * 5', b: 'person * 5 + other', second: 'second' },
    `${clock} + n * ${58 * MINUTE} / ${task.edges}`,
  );
  await warehouse.command({
    sql: `INSERT INTO edges (a, kind_a, b, kind_b, source, first_seen, ingested) SELECT ${keyOf(`${persons * OF_ONE + 1_000_000} + number % ${SHARED}`)}, 'mac',
      ${keyOf(`intDiv(number, ${SHARED}) * 50`)}, 'ifa', 'wifi', ${at(String(clock))}, ${at(String(clock))} FROM numbers(${SHARED * crowd})`,
  });
  console.log(
    `${count(task.edges)} edges of ${count(task.identifiers)} identifiers put in, in ${((performance.now() - since) / 1000).toFixed(1)} s`,
  );
}

/** 1 %: half of them of new identifiers, a tenth join two persons, the others are known already. */
async function putNews(round: number): Promise<void> {
  const edges = Math.round(task.edges / 100);
  const person = `(cityHash64(number, ${round}) % ${persons})`;
  await warehouse.command({
    sql: `INSERT INTO edges (a, kind_a, b, kind_b, source, first_seen, ingested)
      SELECT ${keyOf(`${person} * 5`)}, 'ifa',
        multiIf(number % 10 < 5, ${keyOf(`${task.identifiers * 4} + ${round * edges} + number`)}, number % 10 = 5, ${keyOf(`((${person} + 1) % ${persons}) * 5 + 3`)}, ${keyOf(`${person} * 5 + 1`)}),
        multiIf(number % 10 < 5, 'cookie', number % 10 = 5, 'email', 'cookie'), 'news', ${at(String(clock))}, ${at(String(clock))} FROM numbers(${edges})`,
  });
}

async function put(from: string, ends: { a: string; b: string; second: string }, ingested: string): Promise<void> {
  const kinds = "['ifa', 'cookie', 'exchange', 'email', 'loyalty']";
  await warehouse.command(
    {
      sql: `INSERT INTO edges (a, kind_a, b, kind_b, source, first_seen, ingested)
      SELECT ${keyOf(ends.a)}, 'ifa', ${keyOf(ends.b)}, ${kinds}[other + 1], if(${ends.second} = 1, 'crm', 'app'), ${at(ingested)}, ${at(ingested)} FROM (${from})`,
    },
    { seconds: 300 },
  );
}

function keyOf(number: string): string {
  return `reinterpret(MD5(toString(${number})), 'UUID')`;
}

function at(ms: string): string {
  return `fromUnixTimestamp64Milli(toInt64(${ms}))`;
}

/** Seconds from the opt-out by a person's e-mail to the first bid request of their browser that nobody bids on, ascending. */
async function timeOptOuts(): Promise<number[]> {
  const people = Array.from({ length: task.optOuts }, (_, n) => ({
    ifa: keyIdentifier({ kind: 'ifa', value: `0badcafe-0000-4000-8000-${String(n).padStart(12, '0')}` }, task.pepper) as string,
    cookie: keyIdentifier({ kind: 'cookie', value: `opt-out-${n}` }, task.pepper) as string,
    email: keyIdentifier({ kind: 'email', value: `opt-out-${n}@example.com` }, task.pepper) as string,
  }));
  const when = new Date(clock).toISOString();
  const edge = { kind_a: 'ifa', source: 'crm', first_seen: when, ingested: when };
  await warehouse.insert(
    'edges',
    people.flatMap(({ ifa, cookie, email }) => [
      { ...edge, a: ifa, b: cookie, kind_b: 'cookie' },
      { ...edge, a: ifa, b: email, kind_b: 'email' },
    ]),
  );
  await identity.fold();
  for (const [n, { ifa, cookie }] of people.entries())
    for (const key of [ifa, cookie])
      await redis.set(profileKey(key), encodeProfile(profileOf(4_000_000_000 + n, ifa, task.segment)));
  const seconds: number[] = [];
  for (const [n, { email }] of people.entries()) {
    await untilBid(n);
    const since = performance.now();
    await optOut(deps, [email]);
    while ((await bidStatus(n)) !== 204) await sleep(1);
    seconds.push((performance.now() - since) / 1000);
  }
  console.log(`${people.length} opt-outs, ${(Math.max(...seconds) * 1000).toFixed(0)} ms at most`);
  return seconds.sort((a, b) => a - b);
}

/** The lease of a line item's budget comes with the first requests. */
async function untilBid(n: number): Promise<void> {
  for (let tries = 0; (await bidStatus(n)) !== 200; tries++) {
    if (tries > 1_000) throw new Error('the bidder does not bid on somebody whom it should');
    await sleep(5);
  }
}

async function bidStatus(n: number): Promise<number> {
  const request = {
    id: `opt-out-${n}-${performance.now()}`,
    at: 2,
    tmax: 1_000,
    imp: [{ id: '1', banner: { w: 300, h: 250 } }],
    site: { id: 's', domain: 'news.example', page: 'https://news.example/' },
    device: { ua: 'Mozilla/5.0', ip: '93.184.216.34' },
    user: { buyeruid: `opt-out-${n}` },
    regs: { ext: { gdpr: 0 } },
  };
  const response = await fetch(`http://127.0.0.1:${task.bidderPort}/openrtb2/${task.exchange}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-openrtb-version': '2.6' },
    body: JSON.stringify(request),
  });
  await response.arrayBuffer();
  return response.status;
}

/** Seconds of the processor since, of all threads: what a machine that does other things too cannot stretch. */
function cpuClock(): () => string {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return ((user + system) / 1e6).toFixed(1);
  };
}

function count(number: number): string {
  return number.toLocaleString('en');
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

function round3(number: number): number {
  return Math.round(number * 1_000) / 1_000;
}

function profileOf(profile: number, anchor: string, segment: number): PublishedProfile {
  const hour = hourOf(Date.now());
  return { profile, anchor, consent: 0, hour, memberships: [{ segment, since: hour, until: hour + 24 }] };
}
