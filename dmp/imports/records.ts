import type { Redis } from 'ioredis';
import type { Import } from './import.ts';

/** An import as it is kept: in a hash in Redis, so that it survives restarts and all processes see it. */
export interface ImportRecord {
  readonly id: string;
  readonly input: Import;
  /** Advertiser of the key that made it; null: none. */
  readonly owner: string | null;
  /** Id of that key. */
  readonly actor: string;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly file: ImportFile | null;
  /** Id of the job that takes the file. */
  readonly job: string | null;
}

export interface ImportFile {
  /** In the folder for uploads. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

const recordKey = (id: string): string => `walkin:import:${id}`;

export async function createRecord(redis: Redis, record: ImportRecord): Promise<void> {
  const { id, input, owner, actor, createdAt } = record;
  await redis.hset(recordKey(id), { made: JSON.stringify({ input, owner, actor, createdAt }) });
}

export async function readRecord(redis: Redis, id: string): Promise<ImportRecord | null> {
  const fields = await redis.hgetall(recordKey(id));
  if (fields['made'] === undefined) return null;
  const made = JSON.parse(fields['made']) as Pick<ImportRecord, 'input' | 'owner' | 'actor' | 'createdAt'>;
  const file = fields['file'] === undefined ? null : (JSON.parse(fields['file']) as ImportFile);
  return { id, ...made, file, job: fields['job'] ?? null };
}

export async function hasBegun(redis: Redis, id: string): Promise<boolean> {
  return (await redis.hexists(recordKey(id), 'begun')) === 1;
}

/**
 * KEYS[1] import. ARGV[1] JSON of its file. Returns 0 where a job has begun with the file before, which then stays, else 1.
 * One write: dying in the middle changes nothing or all.
 */
const PUT_FILE = `
if redis.call('HEXISTS', KEYS[1], 'begun') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'file', ARGV[1])
return 1`;

/** False where the file before is being taken already. */
export async function putFile(redis: Redis, id: string, file: ImportFile): Promise<boolean> {
  return (await redis.eval(PUT_FILE, 1, recordKey(id), JSON.stringify(file))) === 1;
}

export async function putJob(redis: Redis, id: string, job: string): Promise<void> {
  await redis.hset(recordKey(id), { job });
}

/** From here on the file cannot be replaced; true also where it was begun before, by a process that died. */
export async function beginRecord(redis: Redis, id: string): Promise<ImportRecord | null> {
  if ((await redis.exists(recordKey(id))) === 0) return null;
  await redis.hset(recordKey(id), { begun: '1' });
  return readRecord(redis, id);
}
