import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, type ChildEvents, createChild } from './child.ts';
import type { Config, Ports } from './config.ts';
import { forgetProcesses, noteProcesses, seeOffLeftovers } from './leftovers.ts';
import { claimPorts } from './ports.ts';
import { type Entries, type NodeProcess, nodeProcesses } from './processes.ts';
import { answersReady, waitReady } from './readiness.ts';
import { checkRemoteRedis, clearRedis, confirmRedis, redisArguments, redisPaths } from './redis.ts';
import { removeRunFile, writeRunFile } from './run-file.ts';
import type { Secrets } from './secrets.ts';
import { findRedisBinary } from './setup/redis-binary.mjs';
import { StartError } from './start-error.ts';

export interface SupervisorOptions {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly entries: Entries;
  /** Something that the operator should know: a process died, or is back. */
  readonly say: (sentence: string) => void;
  /** What cannot go on: a stranger on our socket. Never called during `start`. */
  readonly fatal: (error: Error) => void;
}

/** A step of the start, shown to the reader while it runs. */
export interface Stage {
  readonly title: string;
  run(): Promise<void>;
}

export interface Supervisor {
  /** Checks the ports; what is returned is run in order, and all is ready after the last. */
  prepare(): Promise<Stage[]>;
  /** Real ports, known after `prepare`. */
  readonly ports: Ports;
  /** In the reverse order of the start, within STOP_MS. */
  stop(): Promise<void>;
  /** At once. */
  kill(): void;
}

/** All in all less than 5 s. Redis comes last: it takes what the others flush, and syncs its file. */
const GRACE_MS = { bidder: 1500, data: 2000, redis: 1000 };

export function createSupervisor({ config, secrets, entries, say, fatal }: SupervisorOptions): Supervisor {
  const children: Child[] = [];
  const stopping = new AbortController();
  let ports: Ports = config.ports;
  let startedAt: string | null = null;

  /** Redis is left out: the next start finds it by its socket, and stops it after the others. */
  const note = (): void => {
    const pids = children.flatMap(({ name, pid }) => (name === 'redis' || pid === null ? [] : [pid]));
    noteProcesses(config.data, pids);
  };

  const publish = (): void => {
    if (startedAt === null || stopping.signal.aborted) return;
    const url = (port: number): string => `http://127.0.0.1:${port}`;
    writeRunFile(config.data, {
      pid: process.pid,
      startedAt,
      processes: children.map(({ name, pid }) => ({ name, pid })),
      api: url(ports.api),
      bidder: url(ports.bidder),
      pages: url(ports.pages),
      apiMetrics: url(ports.apiMetrics),
      bidderMetrics: url(ports.bidderMetrics),
      pagesMetrics: url(ports.pagesMetrics),
    });
  };

  const eventsOf = (name: string, started: (pid: number) => void): ChildEvents => ({
    started: (pid) => {
      if (startedAt !== null) say(`${name} is started again (process ${pid})`);
      note();
      publish();
      started(pid);
    },
    died: (how, retryMs) => {
      say(
        `${name} ended (${how}); starting it again in ${retryMs / 1000} s, its log is ${join(config.data, 'logs', `${name}.log`)}`,
      );
      publish();
    },
  });

  const startRedis = async (): Promise<void> => {
    const program = findRedisBinary(config.env);
    if (program === null) throw new StartError('there is no Redis program: run `node setup.mjs`, or set REDIS_URL');
    const paths = redisPaths(config.data);
    await clearRedis(paths);
    stopping.signal.throwIfAborted();
    const child = createChild(
      {
        name: 'redis',
        program,
        args: redisArguments(paths),
        // A locale that the machine does not have keeps Redis 7 from starting.
        env: { ...config.env, LC_ALL: 'C' },
        log: join(config.data, 'logs', 'redis.log'),
      },
      eventsOf('redis', (pid) => {
        if (startedAt !== null) confirmRedis(paths.socket, pid).catch(fatal);
      }),
    );
    children.push(child);
    child.start();
    await waitReady(child, async () => child.pid !== null && (await confirmRedis(paths.socket, child.pid)), stopping.signal);
  };

  const startProcess = async (spec: NodeProcess): Promise<void> => {
    stopping.signal.throwIfAborted();
    const child = createChild(
      spec,
      eventsOf(spec.name, () => undefined),
    );
    children.push(child);
    child.start();
    await waitReady(child, async () => child.pid !== null && (await answersReady(spec.readyPort)), stopping.signal);
  };

  const redisStage = (): Stage => {
    const { redisUrl } = config;
    if (redisUrl === null) return { title: 'Redis', run: startRedis };
    return {
      title: 'Redis of REDIS_URL',
      run: async () => {
        await checkRemoteRedis(redisUrl);
      },
    };
  };

  return {
    get ports() {
      return ports;
    },
    prepare: async () => {
      removeRunFile(config.data);
      await seeOffLeftovers(config.data);
      mkdirSync(join(config.data, 'logs'), { recursive: true, mode: 0o700 });
      const { segmenterMetrics, ...always } = config.ports;
      const needed = config.clickhouseUrl === null ? always : { ...always, segmenterMetrics };
      ports = { ...config.ports, ...(await claimPorts(needed, config.host)) };
      const redisUrl = config.redisUrl ?? redisPaths(config.data).socket;
      const specs = nodeProcesses({ config, ports, redisUrl, secrets, entries });
      const last: Stage = {
        title: 'All ready',
        run: async () => {
          startedAt = new Date().toISOString();
          publish();
        },
      };
      return [redisStage(), ...specs.map((spec) => ({ title: spec.title, run: () => startProcess(spec) })), last];
    },
    stop: async () => {
      stopping.abort(new StartError('stopped'));
      removeRunFile(config.data);
      const dataProcesses = children.filter(({ name }) => name !== 'bidder' && name !== 'redis');
      await Promise.all(children.filter(({ name }) => name === 'bidder').map((child) => child.stop(GRACE_MS.bidder)));
      await Promise.all(dataProcesses.map((child) => child.stop(GRACE_MS.data)));
      await Promise.all(children.filter(({ name }) => name === 'redis').map((child) => child.stop(GRACE_MS.redis)));
      forgetProcesses(config.data);
    },
    kill: () => {
      for (const child of children) child.kill();
    },
  };
}
