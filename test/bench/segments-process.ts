// Makes a world, or times the evaluation of segments in it. Argument: a SegmentsTask; the last line is a SegmentsTiming. Started by `npm run bench segments`.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import type { SegmentsTask, SegmentsTiming, SmallTiming } from '../../load-tests/bench/segments.ts';
import { plainThings } from '../support/plain-things.ts';
import { mixedRules, NAMES } from './segment-rules.ts';
import { profiled } from './statement-profile.ts';

const task = JSON.parse(process.argv[2] as string) as SegmentsTask;
const load = async <T>(path: string): Promise<T> => (await import(`${task.modules}${path}${task.extension}`)) as T;
// Not by import statements: the loader of this file would compile another code than the one that runs in production.
const { openWarehouse } = await load<typeof import('../../dmp/clickhouse/warehouse.ts')>('dmp/clickhouse/warehouse');
const { migrate } = await load<typeof import('../../dmp/clickhouse/migrate.ts')>('dmp/clickhouse/migrate');
const { createFacts } = await load<typeof import('../../segmenter/facts.ts')>('segmenter/facts');
const { evaluateSegments } = await load<typeof import('../../segmenter/evaluate.ts')>('segmenter/evaluate');
const { estimate } = await load<typeof import('../../dmp/segments/estimate.ts')>('dmp/segments/estimate');
const { scopeOf } = await load<typeof import('../../dmp/segments/advertiser-scope.ts')>('dmp/segments/advertiser-scope');
const { overlap, versionsOf } = await load<typeof import('../../dmp/segments/overlap.ts')>('dmp/segments/overlap');

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Between two refreshes. */
const WAIT = 5 * 60_000;
const redis = new Redis(task.redis);
const opened = await openWarehouse({ kind: 'embedded', path: join(task.folder, 'clickhouse'), database: 'walkin' });
await migrate(opened);
const { warehouse, report } = profiled(opened);
let clock = Date.UTC(2026, 5, 1, 12);
const deps = { warehouse, redis, things: plainThings(), now: () => clock, log: pino({ level: 'warn' }) };
const BY = { actor: 'bench' };

if (task.phase === 'make') await make();
else if (task.phase === 'small') console.log(JSON.stringify(await timeSmall()));
else console.log(JSON.stringify(await time()));
redis.disconnect();
await warehouse.close();

async function make(): Promise<void> {
  await putThings();
  await putIdentities();
  await putEvents(0, task.events, clock - HOUR);
  const began = performance.now();
  let said = began;
  const folded = await createFacts(deps).fold(async (done, total) => {
    if (performance.now() - said < 15_000) return;
    said = performance.now();
    console.log(`  facts: part ${done} of ${total} after ${((said - began) / 1000).toFixed(0)} s`);
  });
  console.log(
    `Facts of everybody: ${count(folded.written)} rows of ${count(folded.touched)} people in ${folded.seconds.toFixed(1)} s`,
  );
  await rest();
  await redis.save();
}

/**
 * Until what was written lies as it stays, at most as long as a refresh waits for the next: what the engine merges in these five minutes
 * is not what the next has to do.
 */
async function rest(): Promise<void> {
  const until = performance.now() + WAIT;
  for (let quiet = 0; quiet < 4 && performance.now() < until; ) {
    const [row] = await opened.query<{ n: string }>({ sql: 'SELECT count() AS n FROM system.merges' });
    quiet = row?.n === '0' ? quiet + 1 : 0;
    await sleep(250);
  }
}

/** What a step took, by statement, where that was asked for. */
function sayProfile(step: string): void {
  const lines = report();
  if (task.profile) for (const line of [`${step}, by statement:`, ...lines]) console.log(line);
}

async function time(): Promise<SegmentsTiming> {
  await putThings();
  const facts = createFacts(deps);
  await rest();
  report();
  const full = await measured(async () => (await evaluateSegments(deps, undefined)).runs);
  sayProfile('Everybody asked');
  const failed = full.result.filter(({ error }) => error !== '');
  const members = full.result.reduce((sum, run) => sum + run.members, 0);
  console.log(
    `${full.result.length} segments, ${count(members)} members, in ${full.seconds.toFixed(1)} s (${full.cpu} s of the processor), ${full.peakMb} MB at most; failed: ${failed.map(({ segment, error }) => `${segment} ${error}`).join(', ') || 'none'}`,
  );
  for (const { segment, members: size, seconds } of full.result.slice(0, 3))
    console.log(`  ${segment}: ${count(size)} in a pass of ${seconds.toFixed(1)} s`);

  const incremental: number[] = [];
  for (let round = 0; round < 3; round++) {
    // What came last is settled by then.
    clock += WAIT;
    const news = Math.round(task.events / 100);
    await putEvents(task.events + round * news, news, clock - 1_000);
    await rest();
    report();
    const fold = await measured(() => facts.fold());
    sayProfile('The fold');
    const again = await measured(async () => (await evaluateSegments(deps, undefined)).runs);
    incremental.push(fold.seconds + again.seconds);
    sayProfile('1 % new events');
    const modes = new Set(again.result.map(({ mode }) => mode));
    const changed = again.result.reduce((sum, run) => sum + run.entered + run.left, 0);
    console.log(
      `1 % new events: ${count(fold.result.written)} facts of ${count(fold.result.touched)} people in ${fold.seconds.toFixed(2)} s (${fold.cpu} s of the processor), then ${count(changed)} who entered or left in ${again.seconds.toFixed(2)} s (${again.cpu} s; ${[...modes].join(', ')})`,
    );
  }
  const estimateP95S = await timeEstimates();
  const overlapS = await timeOverlap();
  return {
    fullS: round3(full.seconds),
    incrementalS: round3(incremental.sort((a, b) => a - b)[1] as number),
    estimateP95S,
    overlapS,
    publishS: null,
    freshnessP95S: null,
    peakMb: full.peakMb,
    growth: null,
  };
}

/** Segments of ten people each: half are those with a value of an attribute, half those of a list. */
async function timeSmall(): Promise<SmallTiming> {
  const half = Math.ceil(task.rules / 2);
  for (let n = 0; n < task.rules; n++) {
    const rule = n < half ? { attribute: { name: 'team', in: [`t${n}`] } } : { list: `li_${n - half}` };
    await deps.things.put('segment', `seg_${n}`, { advertiser: null, name: `segment ${n}`, rule, number: n + 1 } as never, BY);
  }
  await putIdentities();
  const at = `fromUnixTimestamp64Milli(toInt64(${clock - HOUR}))`;
  await run(`INSERT INTO attributes (source, identifier, name, text, number, at, ingested)
    SELECT 'crm', ${phone('n')}, 'team', concat('t', toString(n % ${half})), NULL, ${at}, ${at} FROM (SELECT number AS n FROM numbers(${task.people}))`);
  await run(`INSERT INTO list_entries (list, identifier, entry, source)
    SELECT concat('li_', toString(n % ${half})), ${phone('n')}, ${phone('n')}, 'crm' FROM (SELECT number AS n FROM numbers(${task.people}))`);
  const facts = createFacts(deps);
  const folded = await facts.fold();
  console.log(`${count(task.rules)} segments; facts of ${count(folded.touched)} people in ${folded.seconds.toFixed(1)} s`);
  report();
  const full = await measured(async () => (await evaluateSegments(deps, undefined)).runs);
  sayProfile('Everybody asked');
  const wrong = full.result.filter(({ error, members }) => error !== '' || members !== 10).length;
  console.log(
    `All evaluated in ${full.seconds.toFixed(1)} s (${full.cpu} s of the processor), ${full.peakMb} MB at most; not of ten people: ${wrong}`,
  );
  clock += 5 * 60_000;
  const now = `fromUnixTimestamp64Milli(toInt64(${clock - 1_000}))`;
  await run(`INSERT INTO attributes (source, identifier, name, text, number, at, ingested)
    SELECT 'crm', ${phone('n')}, 'team', concat('t', toString((n + 1) % ${half})), NULL, ${now}, ${now} FROM (SELECT number * 1000 AS n FROM numbers(${Math.ceil(task.people / 1000)}))`);
  await facts.fold();
  report();
  const again = await measured(async () => (await evaluateSegments(deps, undefined)).runs);
  sayProfile('A thousandth changed');
  const changed = again.result.reduce((sum, { entered, left }) => sum + entered + left, 0);
  console.log(`${count(changed)} entered or left, in ${again.seconds.toFixed(1)} s (${again.cpu} s of the processor)`);
  const seconds = { fullS: round3(full.seconds), incrementalS: round3(again.seconds), fullCpuS: Number(full.cpu) };
  return { segments: task.rules, ...seconds, peakMb: full.peakMb };
}

async function timeEstimates(): Promise<number> {
  const rules = mixedRules(400, drawer(task.seed + 7)).filter((rule) => 'all' in rule && rule.all.length === 5);
  const seconds: number[] = [];
  for (const rule of rules.slice(0, 40)) {
    const began = performance.now();
    await estimate(warehouse, rule, scopeOf(deps.things, null, clock));
    seconds.push((performance.now() - began) / 1000);
  }
  seconds.sort((a, b) => a - b);
  const p95 = round3(seconds[Math.floor(seconds.length * 0.95)] as number);
  console.log(
    `${seconds.length} estimates of rules of five parts: ${round3(seconds[seconds.length >> 1] as number)} s in the middle, ${p95} s at p95`,
  );
  return p95;
}

async function timeOverlap(): Promise<number> {
  const ids = deps.things
    .list('segment')
    .slice(0, 50)
    .map(({ id }) => id);
  const began = performance.now();
  await overlap(warehouse, await versionsOf(warehouse, ids));
  const seconds = (performance.now() - began) / 1000;
  console.log(`Overlap of ${ids.length} with ${ids.length} segments in ${seconds.toFixed(2)} s`);
  return round3(seconds);
}

async function putThings(): Promise<void> {
  const zones = ['Europe/Moscow', 'Europe/Helsinki', 'UTC'];
  for (let n = 0; n < NAMES.stores; n++) {
    const body = {
      advertiser: 'adv',
      name: `store ${n}`,
      address: '',
      lat: 55 + n / 100,
      lon: 37,
      timeZone: zones[n % 3] as string,
      hours: null,
    };
    await deps.things.put('store', `st_${n}`, { ...body, fence: { type: 'circle', radius: 75 } }, BY);
  }
  for (const [n, rule] of mixedRules(task.rules, drawer(task.seed)).entries())
    await deps.things.put('segment', `seg_${n}`, { advertiser: null, name: `segment ${n}`, rule, number: n + 1 } as never, BY);
}

/** A phone each, a card for every other, and a tenth in a household with the one before. */
async function putIdentities(): Promise<void> {
  const began = performance.now();
  const columns = 'identifier, kind, profile, anchor, version, own, device, household, cluster';
  const household = 'if(person % 10 = 9, person, person + 1)';
  for (const [kind, device, where] of [
    ['ifa', 'person + 1', '1'],
    ['loyalty', '0', 'person % 2 = 0'],
  ] as const)
    await run(`INSERT INTO identities (${columns}) SELECT ${kind === 'ifa' ? phone('person') : card('person')}, '${kind}', person + 1, ${phone('person')}, 1,
      person + 1, ${device}, ${household}, ${household} FROM (SELECT number AS person FROM numbers(${task.people})) WHERE ${where}`);
  console.log(`${count(task.people)} people in ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

/** Events that came in at a time, numbered from `from`; most are of the last year, and those of the news of the last day. */
async function putEvents(from: number, events: number, ingested: number): Promise<void> {
  const began = performance.now();
  const isNews = from > 0;
  // Of ten events four are receipt lines, and one or two each of the others.
  const share = (tenths: number): number => Math.ceil((events * tenths) / 10);
  const who = (salt: string): string => `cityHash64(n, '${salt}') % ${task.people}`;
  const when = `toInt64(${clock} - (cityHash64(n, 'when') % ${isNews ? DAY : 365 * DAY}) - 2000)`;
  const came = `fromUnixTimestamp64Milli(toInt64(${ingested}))`;
  const at = `fromUnixTimestamp64Milli(${when})`;
  const rows = (tenths: number): string => `(SELECT number + ${from} AS n FROM numbers(${share(tenths)}))`;
  const draw = (salt: string, below: number): string => `cityHash64(n, '${salt}') % ${below}`;
  const name = (prefix: string, salt: string, below: number): string => `concat('${prefix}', toString(${draw(salt, below)}))`;
  // Of a receipt all lines have one buyer, store and time.
  const receipt = '(SELECT intDiv(line, 3) AS n, line FROM (SELECT number AS line FROM numbers(LINES)))'.replace(
    'numbers(LINES)',
    `numbers(${from}, ${share(4)})`,
  );
  await run(`INSERT INTO purchases (source, receipt, line, at, identifier, store, product, category, department, brand, quantity, amount, currency, ingested)
    SELECT 'till', concat('r', toString(n)), toString(line), ${at}, if(${draw('by', 2)} = 0 AND ${who('buys')} % 2 = 0, ${card(who('buys'))}, ${phone(who('buys'))}),
      if(${draw('where', 10)} = 0, '', ${name('st_', 'store', NAMES.stores)}), concat('p', toString(product)), concat('c', toString(product % ${NAMES.categories})),
      concat('d', toString(product % ${NAMES.departments})), concat('b', toString(product % ${NAMES.brands})), 1, 100000 + cityHash64(line, 'price') % 9000000, 'USD', ${came}
    FROM (SELECT n, line, cityHash64(line, 'product') % ${NAMES.products} AS product FROM ${receipt})`);
  await run(`INSERT INTO visits (identifier, kind, place, day, start, \`end\`, dwell, pings, cancelled, version, sources)
    SELECT ${phone(who('visits'))}, 'store', ${name('st_', 'place', NAMES.stores)}, toDate(${at}), ${at}, ${at}, ${draw('dwell', 3600)}, 4, 0, ${ingested}, ['sdk'] FROM ${rows(1.5)}`);
  await run(`INSERT INTO pages (source, id, identifier, at, url, title, ingested)
    SELECT 'web', toString(n), ${phone(who('views'))}, ${at}, concat('https://shop.example/c/', toString(${draw('page', 50)}), '/p/', toString(${draw('path', 2_000)})), '', ${came} FROM ${rows(1.5)}`);
  await run(`INSERT INTO redemptions (source, id, identifier, at, coupon, promotion, ingested)
    SELECT 'till', toString(n), ${phone(who('redeems'))}, ${at}, ${name('k', 'coupon', 100)}, ${name('p', 'promotion', 10)}, ${came} FROM ${rows(0.5)}`);
  await run(`INSERT INTO actions (source, id, identifier, at, name, store, item, value, ingested)
    SELECT 'app', toString(n), ${phone(who('acts'))}, ${at}, if(${draw('act', 3)} = 0, 'survey', 'app_opened'), '', '', '', ${came} FROM ${rows(0.5)}`);
  await run(`INSERT INTO ad_events (type, bid, bid_at, at, campaign, line_item, identifier, anchor, ingested)
    SELECT if(${draw('clicks', 50)} = 0, 'click', 'impression'), concat('b', toString(n)), ${at}, ${at}, ${name('cmp_', 'campaign', NAMES.campaigns)}, 'li', ${phone(who('sees'))}, ${phone(who('sees'))}, ${came} FROM ${rows(1)}`);
  const attribute = (what: string, text: string, number: string): Promise<void> =>
    run(`INSERT INTO attributes (source, identifier, name, text, number, at, ingested)
      SELECT 'crm', ${phone(isNews ? who(what) : 'n')}, '${what}', ${text}, ${number}, ${came}, ${came} FROM ${isNews ? rows(0.5) : `(SELECT number AS n FROM numbers(${Math.min(task.people, share(0.5))}))`}`);
  await attribute('age', `toString(18 + ${draw('age', 60)})`, `18 + ${draw('age', 60)}`);
  await attribute('city', name('city', 'city', 12), 'NULL');
  console.log(`${count(events)} events put in, in ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

function run(sql: string): Promise<void> {
  return warehouse.command(
    { sql: `${sql.replace(/^(INSERT INTO \w+ \([^)]*\))/, '$1 SETTINGS insert_deduplicate = 0')}` },
    { seconds: 7_200 },
  );
}

/** Seconds, seconds of the processor of all threads, and the most memory that the process, and with it the engine, held. */
async function measured<T>(work: () => Promise<T>): Promise<{ result: T; seconds: number; cpu: string; peakMb: number }> {
  let isOver = false;
  let peak = 0;
  const watch = (async () => {
    while (!isOver) {
      peak = Math.max(peak, process.memoryUsage.rss());
      await sleep(50);
    }
  })();
  const start = process.cpuUsage();
  const began = performance.now();
  const result = await work();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(start);
  isOver = true;
  await watch;
  return { result, seconds, cpu: ((user + system) / 1e6).toFixed(1), peakMb: Math.round(peak / 2 ** 20) };
}

function phone(person: string): string {
  return `reinterpret(sipHash128('phone', toUInt64(${person})), 'UUID')`;
}

function card(person: string): string {
  return `reinterpret(sipHash128('card', toUInt64(${person})), 'UUID')`;
}

/** Numbers that look drawn and are the same in every run. */
function drawer(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function count(number: number): string {
  return number.toLocaleString('en');
}

function round3(value: number): number {
  return Math.round(value * 1000) / 1000;
}
