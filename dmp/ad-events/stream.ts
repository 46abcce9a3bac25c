import type { Redis } from 'ioredis';
import { AD_EVENT_STREAM, WAREHOUSE_GROUP } from '../../proto/keys.ts';

/** An entry of the stream: its id, and the JSON of the ad event where it has one. */
export interface Entry {
  readonly id: string;
  readonly text: string | undefined;
}

type WireEntry = readonly [id: string, fields: readonly string[] | null] | null;

/** What one process reads of the stream: each entry goes to one consumer, and stays pending until it is acknowledged. */
export class AdEventStream {
  readonly #redis: Redis;
  readonly #consumer: string;

  /** The connection is used for blocking reads, so it must not be shared. */
  constructor(redis: Redis, consumer: string) {
    this.#redis = redis;
    this.#consumer = consumer;
  }

  /** Makes the group where it is missing; it begins at the first entry. */
  async open(): Promise<void> {
    try {
      await this.#redis.xgroup('CREATE', AD_EVENT_STREAM, WAREHOUSE_GROUP, '0', 'MKSTREAM');
    } catch (error) {
      if (!String(error).includes('BUSYGROUP')) throw error;
    }
  }

  /** Waits up to `blockMs` for the first new entry. */
  async read(count: number, blockMs: number): Promise<Entry[]> {
    const reply = (await this.#redis.xreadgroup(
      'GROUP',
      WAREHOUSE_GROUP,
      this.#consumer,
      'COUNT',
      count,
      'BLOCK',
      blockMs,
      'STREAMS',
      AD_EVENT_STREAM,
      '>',
    )) as [string, WireEntry[]][] | null;
    return entriesOf(reply?.[0]?.[1] ?? []);
  }

  /** Takes over entries that another consumer read and has not acknowledged for `idleMs`: it has died. */
  async claim(count: number, idleMs: number): Promise<Entry[]> {
    const reply = (await this.#redis.xautoclaim(
      AD_EVENT_STREAM,
      WAREHOUSE_GROUP,
      this.#consumer,
      idleMs,
      '0-0',
      'COUNT',
      count,
    )) as [string, WireEntry[]];
    return entriesOf(reply[1]);
  }

  /** Both or neither, so that nothing stays behind that nobody reads. */
  async done(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    const ids = entries.map((entry) => entry.id);
    await this.#redis
      .multi()
      .xack(AD_EVENT_STREAM, WAREHOUSE_GROUP, ...ids)
      .xdel(AD_EVENT_STREAM, ...ids)
      .exec();
  }

  /** Entries that are not durable yet. */
  length(): Promise<number> {
    return this.#redis.xlen(AD_EVENT_STREAM);
  }

  /** Forgets this consumer, unless entries are still pending under its name: those are to be claimed. */
  async leave(): Promise<void> {
    const pending = await this.#redis.xpending(AD_EVENT_STREAM, WAREHOUSE_GROUP, '-', '+', 1, this.#consumer);
    if (pending.length === 0) await this.#redis.xgroup('DELCONSUMER', AD_EVENT_STREAM, WAREHOUSE_GROUP, this.#consumer);
  }
}

function entriesOf(entries: readonly WireEntry[]): Entry[] {
  return entries.flatMap((entry) => (entry === null ? [] : [{ id: entry[0], text: fieldOf(entry[1]) }]));
}

function fieldOf(fields: readonly string[] | null): string | undefined {
  const index = fields?.indexOf('e') ?? -1;
  return index % 2 === 0 ? fields?.[index + 1] : undefined;
}
