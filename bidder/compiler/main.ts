// The process that compiles snapshots, so that no process that serves has to. Started by the bidder's primary and ended with it.
import { pino } from 'pino';
import { Type } from 'typebox';
import { readSettings } from '../../proto/settings.ts';
import type { CompilerMessage } from '../messages.ts';
import { connectRedis, whenReady } from '../redis.ts';
import { giveWay } from '../threads.ts';
import { createCompiler } from './compiled.ts';
import { removeIndexFolder, writeIndex } from './folder.ts';
import { followPublished } from './published.ts';

const Settings = Type.Object({
  REDIS_URL: Type.String({ default: 'redis://127.0.0.1:6379' }),
  WALKIN_LOG_LEVEL: Type.String({ default: 'info' }),
  /** Where indexes are left. */
  WALKIN_INDEX_FOLDER: Type.String(),
});

const CONNECT_MS = 2_000;
/** A megabyte, of a Redis that is busy. */
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
giveWay(NICE, 'all');

const redis = connectRedis(settings.REDIS_URL, { connectionName: 'bidder-compiler', commandTimeout: READ_MS }, log);
const subscriber = connectRedis(settings.REDIS_URL, { connectionName: 'bidder-snapshot' }, log);
const compiler = createCompiler(redis);
await Promise.all([redis, subscriber].map((client) => whenReady(client, CONNECT_MS)));
await followPublished(redis, subscriber, { take, onNothing: () => tell({ type: 'walkin:no-index' }) }).start();

async function take(head: Buffer): Promise<void> {
  tell({ type: 'walkin:compiling' });
  const compiled = await compiler.compile(head);
  if (compiled === null) return;
  if ('error' in compiled) return tell({ type: 'walkin:refused', ...compiled });
  const { version, pieces, took } = compiled;
  const since = performance.now();
  try {
    const path = await writeIndex(folder, version, pieces);
    tell({ type: 'walkin:index', version, path, took: { ...took, write: performance.now() - since } });
  } catch (error) {
    log.fatal({ version, error: (error as Error).message }, 'an index cannot be written');
    process.exit(1);
  }
}

function tell(message: CompilerMessage): void {
  if (process.connected) process.send?.(message);
}
