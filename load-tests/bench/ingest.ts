import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, freePort, ownCommand, startChild } from './child.ts';
import type { Options } from './options.ts';
import { redisProgram } from './redis-program.ts';
import { PEPPER } from './rig.ts';
import { BenchError, say } from './say.ts';

export interface IngestTiming {
  readonly csvRowsPerS: number;
  readonly streamEventsPerS: number;
  /** The most during the import, over what it was when idle. */
  readonly rssMb: number;
  readonly idleRssMb: number;
  readonly rows: number;
  readonly fileMb: number;
  /** Over idle, at each twentieth of the file. */
  readonly rssSeriesMb: readonly number[];
  readonly events: number;
  /** Of an answer to a batch of 500. */
  readonly streamP95Ms: number;
}

/** Lines of receipts of the whole file, 70 bytes each. */
const ROWS = 4_000_000;
const PEOPLE = 500_000;
const BATCH = 500;
const SENDERS = 8;
const KEY = `wk_admin_${'b'.repeat(64)}`;

/** How fast a file of receipt lines comes in, and how fast events that are streamed; both count when they are durable. */
export async function benchIngest(options: Options): Promise<IngestTiming> {
  const folder = await mkdtemp(join(tmpdir(), 'walkin-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const children: Child[] = [];
  try {
    const dmp = await startDmp(folder, options.env, children);
    const streamed = await timeStream(dmp, options);
    const file = await timeFile(dmp, options);
    return { ...file, ...streamed };
  } finally {
    for (const child of children.reverse()) await child.stop();
  }
}

interface Dmp {
  readonly url: string;
  readonly pid: number;
}

async function startDmp(folder: string, env: NodeJS.ProcessEnv, children: Child[]): Promise<Dmp> {
  const socket = join(folder, 'redis.sock');
  const redis = ['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', '', '--maxmemory-policy', 'noeviction'];
  children.push(startChild(null, [redisProgram(env), ...redis], env));
  const [port, metricsPort] = [await freePort(), await freePort()];
  const child = startChild(null, ownCommand('dmp/main'), {
    ...env,
    ...{ REDIS_URL: socket, WALKIN_DATA_DIR: folder, WALKIN_PEPPER: PEPPER, WALKIN_ADMIN_KEY: KEY, WALKIN_HOST: '127.0.0.1' },
    ...{ WALKIN_API_PORT: String(port), WALKIN_API_METRICS_PORT: String(metricsPort), WALKIN_LOG_LEVEL: 'warn' },
    ...{ UV_THREADPOOL_SIZE: '16', TZ: 'UTC' },
  });
  children.push(child);
  const url = `http://127.0.0.1:${port}`;
  await child.until(async () => (await fetch(`${url}/readyz`)).status === 200);
  return { url, pid: child.pid };
}

const HEADERS = { authorization: `Bearer ${KEY}` };

/** Numbers that look drawn and are the same in every run. */
function drawer(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

async function timeStream(
  { url }: Dmp,
  { seconds, seed }: Options,
): Promise<Pick<IngestTiming, 'streamEventsPerS' | 'events' | 'streamP95Ms'>> {
  const draw = drawer(seed);
  // Made before, so that making them is not measured.
  const bodies = Array.from({ length: 400 }, (_, index) => batchOf(draw, index));
  const waits: number[] = [];
  let next = 0;
  let events = 0;
  const began = performance.now();
  const end = began + seconds * 1_000;
  const send = async (): Promise<void> => {
    while (performance.now() < end) {
      const body = bodies[next++ % bodies.length] as string;
      const at = performance.now();
      // Every batch is one of its own: the round it is sent in is part of its receipts' numbers.
      const fresh = body.replaceAll('ROUND', `${Math.floor(next / bodies.length)}`);
      const answer = await fetch(`${url}/v1/events`, {
        method: 'POST',
        headers: { ...HEADERS, 'content-type': 'application/x-ndjson' },
        body: fresh,
      });
      const { accepted } = (await answer.json()) as { accepted?: number };
      if (accepted !== BATCH) throw new BenchError(`a batch was answered with ${answer.status}, ${accepted} accepted`);
      events += accepted;
      waits.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, send));
  const took = (performance.now() - began) / 1_000;
  waits.sort((a, b) => a - b);
  const streamEventsPerS = Math.round(events / took);
  say(
    `${events.toLocaleString('en')} events in batches of ${BATCH} from ${SENDERS} senders: ${streamEventsPerS.toLocaleString('en')} a second`,
  );
  return { streamEventsPerS, events, streamP95Ms: Math.round(waits[Math.floor(waits.length * 0.95)] ?? 0) };
}

/** Half pings, a quarter page views, a quarter receipts of one line. */
function batchOf(draw: (below: number) => number, index: number): string {
  const now = Date.now() - 3_600_000;
  const lines = Array.from({ length: BATCH }, (_, i) => {
    const person = 1 + draw(PEOPLE);
    const at = now + draw(3_500_000);
    if (i % 2 === 0)
      return {
        type: 'ping',
        at,
        identifiers: [{ kind: 'ifa', value: `6d92078a-8246-4ba4-ae5b-${String(person).padStart(12, '0')}` }],
        lat: 60 + draw(100_000) / 1e6,
        lon: 24.5 + draw(100_000) / 1e6,
        accuracy: 5 + draw(40),
      };
    if (i % 4 === 1)
      return {
        type: 'page',
        at,
        identifiers: [{ kind: 'cookie', value: `c-${person}` }],
        id: `v${index}-${i}-ROUND`,
        url: `https://shop.example/p/${draw(20_000)}`,
      };
    return {
      type: 'purchase',
      id: `s${index}-${i}-ROUND`,
      at,
      identifiers: [{ kind: 'loyalty', value: String(person) }],
      store: `st-${draw(300)}`,
      lines: [{ product: String(draw(20_000)), quantity: 1, amountMicros: draw(5_000) * 10_000 }],
    };
  });
  return lines.map((line) => JSON.stringify(line)).join('\n');
}

async function timeFile(
  dmp: Dmp,
  { scale, seed, gigabytes }: Options,
): Promise<Pick<IngestTiming, 'csvRowsPerS' | 'rssMb' | 'idleRssMb' | 'rows' | 'fileMb' | 'rssSeriesMb'>> {
  const file = gigabytes === null ? receipts(Math.round(ROWS * scale), drawer(seed)) : wideReceipts(gigabytes, drawer(seed));
  const made = await ask<{ id: string }>(
    dmp,
    'POST',
    '/v1/imports',
    JSON.stringify({ type: 'purchase', format: 'csv', mapping: MAPPING }),
  );
  await sleep(1_000);
  const idle = await rssOf(dmp.pid);
  // Made while it is sent: what is timed begins when all of it is there.
  const job = JSON.parse(await put(`${dmp.url}/v1/imports/${made.id}/file`, file.pieces())) as { id: string };
  const fileMb = Math.round(file.bytes() / 1e6);
  let most = idle;
  const series: number[] = [];
  for (;;) {
    const { state, result, error, progress } = await ask<JobAnswer>(dmp, 'GET', `/v1/jobs/${job.id}`);
    const rss = await rssOf(dmp.pid);
    most = Math.max(most, rss);
    const share = progress?.total ? progress.done / progress.total : 0;
    if (share * TENTHS >= series.length + 1 && series.length < TENTHS) {
      series.push(rss - idle);
      if (gigabytes !== null) say(`${series.length * (100 / TENTHS)} %: ${rss - idle} MB over idle`);
    }
    if (state === 'failed') throw new BenchError(`the import failed: ${error}`);
    if (state === 'succeeded') {
      if (result.accepted !== file.rows()) throw new BenchError(`${result.accepted} of ${file.rows()} rows were accepted`);
      const csvRowsPerS = Math.round(file.rows() / result.seconds);
      say(
        `${file.rows().toLocaleString('en')} receipt lines (${fileMb} MB) in ${result.seconds} s: ${csvRowsPerS.toLocaleString('en')} a second`,
      );
      return { csvRowsPerS, rssMb: most - idle, idleRssMb: idle, rows: file.rows(), fileMb, rssSeriesMb: series };
    }
    await sleep(100);
  }
}

const TENTHS = 20;

interface JobAnswer {
  readonly state: string;
  readonly error: string | null;
  readonly progress: { readonly done: number; readonly total: number | null } | null;
  readonly result: { readonly accepted: number; readonly seconds: number };
}

const MAPPING = {
  columns: { id: 'basket_id', at: 'time', store: 'store_id', product: 'product_id', quantity: 'quantity', amount: 'sales_value' },
  identifiers: [{ kind: 'loyalty', column: 'household_id' }],
};

/** A file that is made while it is read, and how long it was. */
interface MadeFile {
  pieces(): Generator<string>;
  rows(): number;
  bytes(): number;
}

const COLUMNS =
  'household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,coupon_disc,coupon_match_disc,week,time';
/** What tills write beside it and nobody asked for. */
const WIDE =
  ',"Ltd. Fruits, Vegetables and More of the Old Town","12 Long Street, building 3, 101000 Old Town",0000400012345678,Till 4 of 11,"Milk, pasteurised, 3.2 %, 930 ml, glass bottle",4601234567893,VAT 10,"Thank you, come again",receipt printed,card,visa,4276 **** **** 0000,A0000000031010,approved,000000000000,terminal 10203040,merchant 900000000000';
const WIDE_COLUMNS = Array.from({ length: 17 }, (_, i) => `,extra_${i + 1}`).join('');

/** Lines as tills give them: baskets of five, in the order of time. */
function receipts(rows: number, draw: (below: number) => number): MadeFile {
  return madeFile(draw, rows, '', '', (done) => done < rows);
}

function wideReceipts(gigabytes: number, draw: (below: number) => number): MadeFile {
  return madeFile(draw, gigabytes * 2.3e6, WIDE_COLUMNS, WIDE, (_, bytes) => bytes < gigabytes * 1e9);
}

function madeFile(
  draw: (below: number) => number,
  about: number,
  columns: string,
  rest: string,
  more: (rows: number, bytes: number) => boolean,
): MadeFile {
  let rows = 0;
  let bytes = 0;
  function* pieces(): Generator<string> {
    let text = `${COLUMNS}${columns}\n`;
    let person = 0;
    for (; more(rows, bytes); rows++) {
      if (rows % 5 === 0) person = 1 + draw(PEOPLE);
      const at = new Date(1_767_225_600_000 + Math.floor((rows / about) * 300 * 86_400_000)).toISOString().slice(0, 19);
      text += `${person},${person % 300},${40_000_000_000 + Math.floor(rows / 5)},${draw(20_000)},1,${draw(5_000) / 100},0,0,0,1,${at}Z${rest}\n`;
      if (text.length < 65_536) continue;
      bytes += text.length;
      yield text;
      text = '';
    }
    bytes += text.length;
    yield text;
  }
  return { pieces, rows: () => rows, bytes: () => bytes };
}

/** By hand, as fast as it is taken: `fetch` reads a stream ahead of the socket, and 5 GB of it are more than a heap holds. */
async function put(url: string, pieces: Iterable<string>): Promise<string> {
  const call = request(url, { method: 'PUT', headers: HEADERS });
  const answered = once(call, 'response') as Promise<[IncomingMessage]>;
  const bytes = function* (): Generator<Buffer> {
    for (const piece of pieces) yield Buffer.from(piece);
  };
  await pipeline(Readable.from(bytes(), { objectMode: false }), call);
  const [answer] = await answered;
  return text(answer);
}

async function ask<T>({ url }: Dmp, method: string, path: string, body?: string): Promise<T> {
  const headers = { ...HEADERS, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  const answer = await fetch(`${url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
  if (!answer.ok) throw new BenchError(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** Resident memory of a process, MB. */
async function rssOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}
