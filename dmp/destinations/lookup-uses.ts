import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Coded } from './offer-sheet.ts';

/** How often pages of an advertiser were told of a segment through a destination. */
export interface ToldCount extends Omit<Coded, 'code'> {
  readonly advertiser: string;
  people: number;
}

export interface LookupUses {
  note(advertiser: string, told: Coded): void;
  close(): Promise<void>;
}

const EVERY_MS = 60_000;

/** Counts what lookups tell, and writes it down each minute. */
export function createLookupUses(write: (counts: readonly ToldCount[]) => Promise<void>, log: Logger): LookupUses {
  let counts = new Map<string, ToldCount>();
  const flush = async (): Promise<void> => {
    const full = counts;
    counts = new Map();
    await write([...full.values()]).catch((error: unknown) => log.error({ err: error }, 'uses by lookup are not written down'));
  };
  const timer = setInterval(() => void flush(), EVERY_MS);
  timer.unref();
  return {
    note: (advertiser, { destination, segment }) => {
      const key = `${destination} ${segment}`;
      const count = counts.get(key);
      if (count === undefined) counts.set(key, { advertiser, destination, segment, people: 1 });
      else count.people++;
    },
    close: async () => {
      clearInterval(timer);
      await flush();
    },
  };
}

/** Hash: `<advertiser> <destination> <segment>` → how often, until a dmp writes it down. */
const HANDED_KEY = 'walkin:pages:uses';

/** Who has no ClickHouse hands its counts to the dmp. */
export async function handOver(redis: Redis, counts: readonly ToldCount[]): Promise<void> {
  if (counts.length === 0) return;
  const pipeline = redis.pipeline();
  for (const { advertiser, destination, segment, people } of counts)
    pipeline.hincrby(HANDED_KEY, `${advertiser} ${destination} ${segment}`, people);
  await pipeline.exec();
}

/** What was handed over, to the one who takes it. */
export async function takeHanded(redis: Redis): Promise<ToldCount[]> {
  const [handed] = (await redis.multi().hgetall(HANDED_KEY).del(HANDED_KEY).exec()) ?? [];
  return Object.entries((handed?.[1] ?? {}) as Record<string, string>).map(([field, people]) => {
    const [advertiser = '', destination = '', segment = ''] = field.split(' ');
    return { advertiser, destination, segment, people: Number(people) };
  });
}
