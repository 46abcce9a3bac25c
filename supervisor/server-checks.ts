import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Check, look } from './check.ts';
import type { Config } from './config.ts';
import { isDataFolder } from './data-folder.ts';
import { lockOwner } from './lock.ts';
import { claimPorts } from './ports.ts';
import { checkRemoteRedis } from './redis.ts';
import { type RunFile, runFile } from './run-file.ts';
import { findRedisBinary } from './setup/redis-binary.mjs';

const execute = promisify(execFile);
const PROBE_MS = 60_000;

/** What runs now on the data folder, as far as it is ready. */
export async function runningOn(data: string): Promise<RunFile | null> {
  if (lockOwner(data) === null) return null;
  return readFile(runFile(data), 'utf8').then(
    (text) => JSON.parse(text) as RunFile,
    () => null,
  );
}

/** What Walkin needs besides the machine. Looks only: never opens the live data folder, never changes a server. */
export function serverChecks(config: Config): Promise<Check[]> {
  return Promise.all([
    ...[redis(config), clickhouse(config), ports(config), dataFolder(config.data), snapshot(config.data)],
    vendorId(config),
  ]);
}

const redis = (config: Config): Promise<Check> => {
  const { redisUrl } = config;
  if (redisUrl !== null) {
    return look('Redis', '6.2 or newer, maxmemory-policy noeviction', async () => {
      const { version, policy } = await checkRemoteRedis(redisUrl);
      return { ok: true, value: `server ${version}, ${policy ?? 'policy not told'}`, fix: '' };
    });
  }
  return look('Redis', '6.2 or newer', async () => {
    const program = findRedisBinary(config.env);
    if (program === null) return { ok: false, value: 'none', fix: 'node setup.mjs installs one' };
    const { stdout } = await execute(program, ['--version']);
    const [, version = '', major = '0', minor = '0'] = /v=((\d+)\.(\d+)[\d.]*)/.exec(stdout) ?? [];
    const ok = Number(major) > 6 || (Number(major) === 6 && Number(minor) >= 2);
    return { ok, value: `${program} ${version}, run with noeviction`, fix: 'install Valkey, or Redis 6.2 or newer' };
  });
};

/** In a process of its own: one process holds one embedded engine for ever. */
const clickhouse = (config: Config): Promise<Check> =>
  look('ClickHouse', 'answers a query with H3', async () => {
    const probe = fileURLToPath(new URL(`./clickhouse-probe${extname(import.meta.url)}`, import.meta.url));
    const folder = await mkdtemp(join(tmpdir(), 'walkin-doctor-'));
    try {
      const { stdout } = await execute(process.execPath, [...process.execArgv, probe, config.clickhouseUrl ?? folder], {
        timeout: PROBE_MS,
      });
      return { ok: true, value: stdout.trim(), fix: '' };
    } catch (error) {
      const said = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1) ?? String(error);
      const fix =
        config.clickhouseUrl === null
          ? 'npm ci --include=optional (glibc Linux or macOS), or set CLICKHOUSE_URL'
          : 'check CLICKHOUSE_URL';
      return { ok: false, value: said, fix };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

/** Ports that this data folder's own Walkin holds are as they should be. */
const ports = (config: Config): Promise<Check> =>
  look('ports', 'free, or held by this Walkin', async () => {
    const { segmenterMetrics, ...always } = config.ports;
    const wanted = config.clickhouseUrl === null ? always : { ...always, segmenterMetrics };
    const running = await runningOn(config.data);
    if (running !== null) return { ok: true, value: `Walkin runs at ${running.bidder} and ${running.api}`, fix: '' };
    try {
      await claimPorts(wanted, config.host);
      return { ok: true, value: `${Object.values(wanted).join(', ')} free`, fix: '' };
    } catch (error) {
      const value = (error as Error).message.split('\n').join('; ');
      return { ok: false, value, fix: 'stop that process, or choose another port (npm start -- --help)' };
    }
  });

const dataFolder = (data: string): Promise<Check> =>
  look('data folder', 'free, or locked by a running Walkin', () => {
    const owner = lockOwner(data);
    if (owner !== null) return { ok: true, value: `${data}, in use by process ${owner.pid} since ${owner.since}`, fix: '' };
    return { ok: true, value: `${data}, ${isDataFolder(data) ? 'not in use' : 'made at the first start'}`, fix: '' };
  });

/** Where a snapshot is refused campaigns go on as they were, and nobody notices but by an alarm. */
const snapshot = (data: string): Promise<Check> =>
  look('snapshot', 'the one that was published last is served', async () => {
    const running = await runningOn(data);
    if (running === null) return { ok: true, value: 'nothing runs', fix: '' };
    const reply = await fetch(`${running.bidder}/readyz`, { signal: AbortSignal.timeout(READYZ_MS) });
    const { snapshotVersion, snapshotRefused } = (await reply.json()) as Readyz;
    const serving = snapshotVersion === null ? 'none is published yet' : `version ${snapshotVersion} is served`;
    if (snapshotRefused === null) return { ok: true, value: serving, fix: '' };
    const { version, error } = snapshotRefused;
    return {
      ok: false,
      value: `${version === null ? 'the newest' : `version ${version}`} is refused (${error}), ${serving}`,
      fix: 'correct what it names by the API: the next snapshot follows at once',
    };
  });

/** Without one all is well where no GDPR applies, so it is told and is no fault. */
const vendorId = ({ env }: Config): Promise<Check> =>
  look('TCF vendor id', 'your id in the Global Vendor List, where GDPR applies', () => {
    const id = env['WALKIN_TCF_VENDOR_ID'] ?? '';
    const none = 'none: bid requests and events with a TCF string are refused until WALKIN_TCF_VENDOR_ID is set';
    return { ok: true, value: id === '' || id === '0' ? none : id, fix: '' };
  });

const READYZ_MS = 2_000;

/** Of the bidder. */
interface Readyz {
  readonly snapshotVersion: number | null;
  readonly snapshotRefused: { readonly version: number | null; readonly error: string } | null;
}
