// Times exports of a large segment. Argument: an ExportsTask; its last line is an Exporting. Started by `benchExports`.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { DmpDeps } from '../../dmp/deps.ts';
import type { Exporting, ExportsTask } from '../../load-tests/bench/exports.ts';
import { plainThings } from '../support/plain-things.ts';

const task = JSON.parse(process.argv[2] as string) as ExportsTask;
const load = async <T>(path: string): Promise<T> => (await import(`${task.modules}${path}${task.extension}`)) as T;
// Not by import statements: the loader of this file would compile another code than the one that runs in production.
const { openWarehouse } = await load<typeof import('../../dmp/clickhouse/warehouse.ts')>('dmp/clickhouse/warehouse');
const { migrate } = await load<typeof import('../../dmp/clickhouse/migrate.ts')>('dmp/clickhouse/migrate');
const { createSealer } = await load<typeof import('../../dmp/identity/seal.ts')>('dmp/identity/seal');
const { identifierKey } = await load<typeof import('../../proto/identifier.ts')>('proto/identifier');
const { sealedValues } = await load<typeof import('../../dmp/identity/sendable.ts')>('dmp/identity/sendable');
const { queueExport } = await load<typeof import('../../dmp/destinations/queue-export.ts')>('dmp/destinations/queue-export');
const { exportWork } = await load<typeof import('../../dmp/destinations/run.ts')>('dmp/destinations/run');
const { readExport } = await load<typeof import('../../dmp/destinations/exports.ts')>('dmp/destinations/exports');

const PEPPER = 'pepper of the benches';
const BY = { actor: 'bench' };
const PART = 50_000;
const KINDS = ['csv', 'parquet'] as const;

const warehouse = await openWarehouse({ kind: 'embedded', path: join(task.folder, 'clickhouse'), database: 'walkin' });
await migrate(warehouse);
const things = plainThings();
const deps = {
  ...{ warehouse, things, pepper: PEPPER, uploads: join(task.folder, 'uploads'), now: Date.now },
  // One export at a time takes no lock and waits in no queue.
  redis: { set: async () => 'OK', get: async () => null, del: async () => 1 },
  jobs: { enqueue: async () => ({ id: 'job' }) },
  log: pino({ level: 'silent' }),
} as unknown as DmpDeps;

console.log(JSON.stringify(await time()));
await warehouse.close();

async function time(): Promise<Exporting> {
  await putThings();
  await putPeople();
  await putVersion(1, '1', 1, task.members);
  const before = process.memoryUsage.rss() / 1024 ** 2;
  const csv = await send('csv', before);
  const parquet = await send('parquet', before);
  await putVersion(2, 'number % 100 = 0', -1, task.members - Math.ceil(task.members / 100));
  const delta = await send('csv', before);
  return {
    ...{ csvS: csv.seconds, parquetS: parquet.seconds, deltaS: delta.seconds },
    rssMb: Math.max(csv.mostMb, parquet.mostMb, delta.mostMb),
  };
}

async function putThings(): Promise<void> {
  const rule = { attribute: { name: 'met' } };
  await things.put('segment', 'all', { advertiser: null, name: 'all', rule, number: 1, minimumSize: 1 } as never, BY);
  const terms = { name: 'CRM', party: '1p', purposes: ['profiles', 'personalised_ads'], destinations: KINDS };
  await things.put('source', 'crm', terms as never, BY);
  for (const kind of KINDS) {
    const delivery = { to: 'folder', folder: kind };
    const body = { advertiser: 'shop', name: kind, kind, status: 'active', mode: 'delta', identifiers: ['ifa'], delivery };
    await things.put('destination', kind, { ...body, segments: [{ segment: 'all' }], exchange: null } as never, BY);
  }
}

/** Everybody with one advertising id that a source brought which may be sent. */
async function putPeople(): Promise<void> {
  const sealer = createSealer(PEPPER);
  const keyOf = (kind: Parameters<typeof identifierKey>[0], value: string): string => identifierKey(kind, value, PEPPER);
  const wanted = new Set(['ifa'] as const);
  const at = new Date().toISOString().replace('T', ' ').replace('Z', '');
  for (let from = 0; from < task.members; from += PART) {
    const sealed: string[] = [];
    const identities: string[] = [];
    for (let n = from; n < Math.min(task.members, from + PART); n++) {
      const [one] = sealedValues('ifa', `0badcafe-0000-4000-8000-${String(n).padStart(12, '0')}`, wanted, sealer, keyOf);
      if (one === undefined) continue;
      sealed.push([one.identifier, 'ifa', 'crm', one.sealed, at].join('\t'));
      identities.push([one.identifier, 'ifa', n + 1, one.identifier, 1].join('\t'));
    }
    const columns = ['identifier', 'kind', 'profile', 'anchor', 'version'];
    const text = (lines: readonly string[]): Buffer => Buffer.from(`${lines.join('\n')}\n`);
    await warehouse.insertText('sealed', ['identifier', 'kind', 'source', 'sealed', 'ingested'], text(sealed), `s${from}`);
    await warehouse.insertText('identities', columns, text(identities), `i${from}`);
  }
  console.log(`${task.members.toLocaleString('en')} people, each with an advertising id that may be sent`);
}

async function putVersion(version: number, chosen: string, status: 1 | -1, members: number): Promise<void> {
  const sql = `INSERT INTO memberships (segment, profile, version, status, at) SETTINGS insert_deduplicate = 0
    SELECT 'all', toUInt32(number + 1), {version:UInt32}, {status:Int8}, now64(3) FROM numbers({people:UInt64}) WHERE ${chosen}`;
  await warehouse.command({ sql, params: { version, status, people: task.members } }, { seconds: 300 });
  const run = { segment: 'all', version, revision: 1, started: new Date().toISOString(), seconds: 0, members };
  await warehouse.insert('segment_runs', [{ ...run, entered: 0, left_count: 0, error: '' }]);
}

/** Seconds of an export, and the most memory over that before all of them. */
async function send(destination: string, idleMb: number): Promise<{ readonly seconds: number; readonly mostMb: number }> {
  const began = performance.now();
  const stages: string[] = [];
  let stage = '';
  let since = { at: began, cpu: process.cpuUsage() };
  let mostMb = 0;
  const passed = (next: string): void => {
    const { user, system } = process.cpuUsage(since.cpu);
    const seconds = ((performance.now() - since.at) / 1000).toFixed(1);
    const overMb = Math.round(peakMb() - idleMb);
    mostMb = Math.max(mostMb, overMb);
    if (stage !== '') stages.push(`${stage} ${seconds} s, ${((user + system) / 1e6).toFixed(1)} of the processor, ${overMb} MB`);
    stage = next;
    since = { at: performance.now(), cpu: process.cpuUsage() };
  };
  const { id } = await queueExport(deps, destination, 'bench');
  peakMb();
  const progress = async (progressed: { readonly stage?: string }): Promise<void> => passed(progressed.stage ?? '');
  await exportWork(deps)({ export: id }, { id: 'job', progress, checkpoint: async () => undefined } as never);
  passed('');
  const seconds = (performance.now() - began) / 1000;
  const record = await readExport(warehouse, id);
  const [file] = record?.files ?? [];
  if (record?.state !== 'delivered' || file === undefined) throw new Error(`the export is ${record?.state}: ${record?.error}`);
  const size = `${file.rows.toLocaleString('en')} rows, ${Math.round(file.bytes / 1024 ** 2)} MB`;
  console.log(`${file.name}: ${size} in ${seconds.toFixed(1)} s; ${stages.join('; ')}`);
  return { seconds: Math.round(seconds * 100) / 100, mostMb };
}

/** The most memory of this process since it was asked last, the engine's with it; what it has now where the system tells no more. */
function peakMb(): number {
  try {
    const [, kb = '0'] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    writeFileSync('/proc/self/clear_refs', '5');
    return Number(kb) / 1024;
  } catch {
    return process.memoryUsage.rss() / 1024 ** 2;
  }
}
