// The process that compiles snapshots, so that no process that serves has to. Started by the bidder's primary and ended with it.
import { setPriority } from 'node:os';
import { pino } from 'pino';
import { Type } from 'typebox';
import { readSettings } from '../../proto/settings.ts';
import type { CompilerMessage } from '../messages.ts';
import { connectRedis, whenReady } from '../redis.ts';
import { type Compiled, compileValue } from './compiled.ts';
import { removeIndexFolder, writeIndex } from './folder.ts';
import { followPublished } from './published.ts';

const Settings = Type.Object({
  REDIS_URL: Type.String({ default: 'redis://127.0.0.1:6379' }),
  WALKIN_LOG_LEVEL: Type.String({ default: 'info' }),
  /** Where indexes are left. */
  WALKIN_INDEX_FOLDER: Type.String(),
});

const CONNECT_MS = 2_000;
/** Hundreds of megabytes. */
const READ_MS = 60_000;
/** Behind the workers where cores are short: a swap may take longer then, a request may not. */
const NICE = 15;

const settings = readSettings(Settings, process.env);
const log = pino({ level: settings.WALKIN_LOG_LEVEL, name: 'bidder-compiler' });
const folder = settings.WALKIN_INDEX_FOLDER;

// The primary is gone, however it died, and its workers with it.
process.on('disconnect', () => {
  removeIndexFolder(folder);
  process.exit(0);
});
// A terminal interrupts us too; the primary says when to end.
process.on('SIGINT', () => undefined);
setPriority(NICE);

const redis = connectRedis(settings.REDIS_URL, { connectionName: 'bidder-compiler', commandTimeout: READ_MS }, log);
const subscriber = connectRedis(settings.REDIS_URL, { connectionName: 'bidder-snapshot' }, log);
await Promise.all([redis, subscriber].map((client) => whenReady(client, CONNECT_MS)));
await followPublished(redis, subscriber, {
  take,
  onStop: (stop) => tell({ type: 'walkin:stopped', stop }),
  onNothing: () => tell({ type: 'walkin:no-index' }),
}).start();

async function take(value: Buffer): Promise<void> {
  tell({ type: 'walkin:compiling' });
  const compiled = compile(value);
  if (compiled === null) return;
  const { version, bytes } = compiled;
  try {
    tell({ type: 'walkin:index', version, path: await writeIndex(folder, version, bytes) });
  } catch (error) {
    log.fatal({ version, error: (error as Error).message }, 'an index cannot be written');
    process.exit(1);
  }
}

function compile(value: Buffer): Compiled | null {
  try {
    return compileValue(value);
  } catch (error) {
    tell({ type: 'walkin:refused', version: versionIn(value), error: (error as Error).message });
    return null;
  }
}

/** As the header says it, see proto/snapshot.ts. */
function versionIn(value: Buffer): number | null {
  return value.length < 12 ? null : value.readUInt32LE(8);
}

function tell(message: CompilerMessage): void {
  if (process.connected) process.send?.(message);
}
