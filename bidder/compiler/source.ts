import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { joined } from '../core/layout.ts';
import { type IndexMade, isPrimaryMessage, type Refusal, type WorkerMessage } from '../messages.ts';
import { createCompiler } from './compiled.ts';
import { readIndex } from './folder.ts';
import { followPublished, type Published } from './published.ts';
import { createRoom } from './room.ts';

/** Where a worker's indexes come from. */
export interface IndexSource {
  /** Tells of each from now on. Returns when the first is told or known not to be there. */
  start(tell: Tell): Promise<void>;
  /** Looks now. Never rejects. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface Tell {
  /** An index, compiled and in memory. */
  readonly index: (bytes: ArrayBufferLike) => void;
  /** A snapshot that is broken; it is in the log. */
  readonly refused: (refusal: Refusal) => void;
}

/** For a worker that is alone: compiles on its own thread. */
export function compileHere(redis: Redis, subscriber: Redis, log: Logger, { pollMs }: { pollMs?: number } = {}): IndexSource {
  let published: Published | null = null;
  /** What was refused last, so that the log says it once. */
  let refused = '';
  return { start, refresh: async () => published?.refresh(), close: async () => published?.close() };

  async function start(tell: Tell): Promise<void> {
    const compiler = createCompiler(redis);
    const take = async (head: Buffer): Promise<void> => {
      const compiled = await compiler.compile(head);
      if (compiled === null) return;
      if ('pieces' in compiled) return tell.index(joined(compiled.pieces));
      const { error } = compiled;
      if (refused !== error) log.error({ error }, 'snapshot refused, the old one serves on');
      refused = error;
      tell.refused(compiled);
    };
    published = followPublished(redis, subscriber, { take, ...(pollMs === undefined ? {} : { pollMs }) });
    await published.start();
  }
}

/** The part of `process` that a worker of a cluster speaks to its primary through. */
export interface Channel {
  readonly send: (message: WorkerMessage) => void;
  readonly on: (listener: (message: unknown) => void) => void;
  readonly off: (listener: (message: unknown) => void) => void;
}

/** How long a worker that starts waits for its first index before it serves without one. */
const FIRST_MS = 5_000;
const ASK_AGAIN_MS = 100;

/** For a worker of a cluster: its primary's compiler leaves them in a file. */
export function fromPrimary(channel: Channel): IndexSource {
  let tell: Tell | null = null;
  /** The newest that was told of; only it is worth reading. */
  let newest: { readonly path: string; readonly version: number } | null = null;
  let served: number | null = null;
  let reading: Promise<void> | null = null;
  const room = createRoom();
  let firstKnown: () => void = () => undefined;
  return { start, refresh, close };

  async function start(to: Tell): Promise<void> {
    tell = to;
    channel.on(listen);
    const first = new Promise<void>((resolve) => {
      firstKnown = resolve;
      setTimeout(resolve, FIRST_MS).unref();
    });
    await refresh();
    await first;
  }

  async function refresh(): Promise<void> {
    channel.send({ type: 'walkin:index-wanted' });
  }

  function listen(message: unknown): void {
    if (!isPrimaryMessage(message)) return;
    if (message.type === 'walkin:index') take(message);
    else {
      if (message.type === 'walkin:refused') tell?.refused({ version: message.version, error: message.error });
      firstKnown();
    }
  }

  function take({ path, version }: IndexMade): void {
    // A compiler that was started again makes what we have.
    if (version === served) return;
    newest = { path, version };
    reading ??= readNewest().finally(() => {
      reading = null;
      firstKnown();
    });
  }

  async function readNewest(): Promise<void> {
    for (let done: typeof newest = null; newest !== null && newest !== done; ) {
      done = newest;
      try {
        const bytes = await readIndex(done.path, room);
        if (newest !== done) continue;
        served = done.version;
        tell?.index(bytes);
      } catch {
        // A newer one has taken its place: we are told of it, or ask.
        if (newest === done) setTimeout(refresh, ASK_AGAIN_MS).unref();
      }
    }
  }

  async function close(): Promise<void> {
    channel.off(listen);
    await reading;
  }
}
