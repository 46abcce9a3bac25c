import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { quickenTexts } from '../proto/string-methods.ts';

interface ConnectionOptions {
  readonly connectionName: string;
  /** Milliseconds after which a command fails. */
  readonly commandTimeout?: number;
  /**
   * Milliseconds without a byte, while something is asked for, after which the connection is given up with all that waits on it. A Redis that hangs takes what
   * it is sent, and works it off when it goes on.
   */
  readonly socketTimeout?: number;
}

/** A client for one purpose, since a slow command holds up all others on its connection. */
export function connectRedis(urlOrPath: string, options: ConnectionOptions, log: Logger): Redis {
  const client = new Redis(urlOrPath, {
    // Never wait for Redis: without a connection a command fails at once, and nothing is sent again on the quiet.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt: number) => Math.min(25 * 2 ** Math.min(attempt, 6), 1_000),
    ...options,
  });
  quickenTexts();
  let lost = false;
  client.on('error', (error: Error) => {
    if (!lost) log.warn({ connection: options.connectionName, error: error.message }, 'Redis is away');
    lost = true;
  });
  client.on('ready', () => {
    if (lost) log.info({ connection: options.connectionName }, 'Redis is back');
    lost = false;
  });
  return client;
}

/** Waits until a client is connected, or for `ms`. Whether it is. */
export async function whenReady(client: Redis, ms: number): Promise<boolean> {
  if (client.status === 'ready') return true;
  return new Promise((resolve) => {
    const done = (ready: boolean): void => {
      clearTimeout(timer);
      client.off('ready', onReady);
      resolve(ready);
    };
    const onReady = (): void => done(true);
    const timer = setTimeout(() => done(false), ms);
    client.on('ready', onReady);
  });
}

type ScriptName = 'persons' | 'lease' | 'reap' | 'watch' | 'notice' | 'append';
type Call = (...args: (string | number)[]) => Promise<unknown>;

/**
 * A Lua script of `lua/` as a function of its KEYS and ARGV. Sent by digest; a restarted Redis gets the text again. With
 * `buffers` texts in the reply are Buffers.
 */
export function createScript(redis: Redis, name: ScriptName, { buffers = false } = {}) {
  const command = `walkin_${name}`;
  redis.defineCommand(command, { lua: readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8') });
  const methods = redis as unknown as Record<string, Call>;
  const call = (methods[buffers ? `${command}Buffer` : command] as Call).bind(redis);
  return (keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> => call(keys.length, ...keys, ...args);
}
