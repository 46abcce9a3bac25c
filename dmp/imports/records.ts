import type { Redis } from 'ioredis';
import type { ResolvedImport } from './import.ts';
import type { ImportResult, TallyState } from './tally.ts';

/** An import as it is kept: in a hash in Redis, so that it survives restarts and all processes see it. */
export interface ImportRecord {
  readonly id: string;
  readonly input: ResolvedImport;
  /** Advertiser of the key that made it; null: none. */
  readonly owner: string | null;
  /** Id of that key. */
  readonly actor: string;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly file: ImportFile | null;
  /** Id of the job that takes the file. */
  readonly job: string | null;
  /** Epoch ms of the first time that a job began with the file. */
  readonly begunAt: number | null;
  readonly progress: ImportProgress | null;
  /** It was taken to its end, and its file is no more. */
  readonly done: ImportResult | null;
}

/** Up to where the rows of the file are known to be written. */
export interface ImportProgress {
  readonly through: number;
  readonly tally: TallyState;
}

export interface ImportFile {
  /** In the folder for uploads. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  /** It is the CSV of a Parquet file that never lay here. */
  readonly isTable?: boolean;
}

/** Sorted set: imports by when they were made. */
const CREATED_KEY = 'walkin:imports';
const recordKey = (id: string): string => `walkin:import:${id}`;

export async function createRecord(redis: Redis, record: ImportRecord): Promise<void> {
  const { id, input, owner, actor, createdAt } = record;
  await redis.hset(recordKey(id), { made: JSON.stringify({ input, owner, actor, createdAt }) });
  await redis.zadd(CREATED_KEY, createdAt, id);
}

export async function readRecord(redis: Redis, id: string): Promise<ImportRecord | null> {
  const fields = await redis.hgetall(recordKey(id));
  if (fields['made'] === undefined) return null;
  const made = JSON.parse(fields['made']) as Pick<ImportRecord, 'input' | 'owner' | 'actor' | 'createdAt'>;
  const file = fields['file'] === undefined ? null : (JSON.parse(fields['file']) as ImportFile);
  const progress = fields['progress'] === undefined ? null : (JSON.parse(fields['progress']) as ImportProgress);
  const begunAt = fields['begun'] === undefined ? null : Number(fields['begun']);
  const done = fields['done'] === undefined ? null : (JSON.parse(fields['done']) as ImportResult);
  return { id, ...made, file, job: fields['job'] ?? null, begunAt, progress, done };
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

/** Of an import whose job fetched it. */
export async function keepFile(redis: Redis, id: string, file: ImportFile): Promise<void> {
  await redis.hset(recordKey(id), { file: JSON.stringify(file) });
}

/** KEYS[1] import. ARGV[1] job that is to take it, ARGV[2] the one that was to, '' for none. Returns who takes it now. */
const PUT_JOB = `
local job = redis.call('HGET', KEYS[1], 'job') or ''
if job ~= ARGV[2] then return job end
redis.call('HSET', KEYS[1], 'job', ARGV[1])
return ARGV[1]`;

/** To be done before the job can begin. False where meanwhile another than `before` takes the import. */
export async function putJob(redis: Redis, id: string, job: string, before: string | null): Promise<boolean> {
  return (await redis.eval(PUT_JOB, 1, recordKey(id), job, before ?? '')) === job;
}

/** KEYS[1] import. ARGV[1] epoch ms, ARGV[2] job. Returns 1; -1 where there is no such import, 0 where it is another job's. */
const BEGIN = `
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if redis.call('HEXISTS', KEYS[1], 'done') == 1 then return 1 end
redis.call('HSETNX', KEYS[1], 'job', ARGV[2])
if redis.call('HGET', KEYS[1], 'job') ~= ARGV[2] then return 0 end
redis.call('HSETNX', KEYS[1], 'begun', ARGV[1])
return 1`;

/** From here on the file cannot be replaced; also where it was begun before, by a process that died. */
export async function beginRecord(
  redis: Redis,
  id: string,
  job: string,
  now: number,
): Promise<ImportRecord | 'missing' | 'taken'> {
  const began = await redis.eval(BEGIN, 1, recordKey(id), now, job);
  const record = began === 1 ? await readRecord(redis, id) : null;
  return record ?? (began === 0 ? 'taken' : 'missing');
}

export async function keepProgress(redis: Redis, id: string, progress: ImportProgress): Promise<void> {
  await redis.hset(recordKey(id), { progress: JSON.stringify(progress) });
}

/** A run after this one has nothing to do, and no file to do it with. */
export async function keepDone(redis: Redis, id: string, result: ImportResult): Promise<void> {
  await redis.hset(recordKey(id), { done: JSON.stringify(result) });
}

/** A run that cannot go on leaves nothing to go on from. */
export async function forgetProgress(redis: Redis, id: string): Promise<void> {
  await redis.hdel(recordKey(id), 'progress');
}

/** The file is here: the keys of its address are not needed again. */
export async function forgetSecret(redis: Redis, record: ImportRecord): Promise<void> {
  const { id, input, owner, actor, createdAt } = record;
  if (input.address?.secretAccessKey === undefined) return;
  const { secretAccessKey: _, ...address } = input.address;
  await redis.hset(recordKey(id), { made: JSON.stringify({ input: { ...input, address }, owner, actor, createdAt }) });
}

/** Ids of the imports that were made before `before` (epoch ms), the oldest first. */
export async function importsBefore(redis: Redis, before: number): Promise<string[]> {
  return redis.zrangebyscore(CREATED_KEY, '-inf', before);
}

export async function removeRecord(redis: Redis, id: string): Promise<void> {
  await redis.del(recordKey(id));
  await redis.zrem(CREATED_KEY, id);
}
