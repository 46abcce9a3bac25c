import type { Redis } from 'ioredis';
import { AD_EVENT_STREAM, WAREHOUSE_GROUP } from '../../proto/keys.ts';
import { KEY_PATTERN } from './places.ts';

const PAGE = 1_000;
const KEYS = new RegExp(KEY_PATTERN, 'g');

export function namesOne(text: string, keys: ReadonlySet<string>): boolean {
  return (text.match(KEYS) ?? []).some((key) => keys.has(key));
}

/** Counts the entries that wait for the warehouse and name one of the keys; `blank`: puts each back without the person. */
export async function walkStream(redis: Redis, keys: ReadonlySet<string>, blank: boolean): Promise<number> {
  // What is put back while it is walked need not be walked.
  const last = await redis.xrevrange(AD_EVENT_STREAM, '+', '-', 'COUNT', 1);
  const end = last[0]?.[0];
  if (end === undefined) return 0;
  let found = 0;
  for (let from = '-'; ; ) {
    const entries = await redis.xrange(AD_EVENT_STREAM, from, end, 'COUNT', PAGE);
    for (const [id, fields] of entries) {
      const text = fields[1] ?? '';
      if (!namesOne(text, keys)) continue;
      found++;
      if (!blank) continue;
      const left = withoutPerson(text);
      const change = redis.multi();
      if (left !== null) change.xadd(AD_EVENT_STREAM, '*', 'e', left);
      change.xack(AD_EVENT_STREAM, WAREHOUSE_GROUP, id).xdel(AD_EVENT_STREAM, id);
      for (const [error] of (await change.exec()) ?? []) if (error !== null && !String(error).includes('NOGROUP')) throw error;
    }
    const next = entries.at(-1)?.[0];
    if (next === undefined || entries.length < PAGE) return found;
    from = `(${next}`;
  }
}

/** Null: without the person nothing is left of it, as of a match. */
function withoutPerson(text: string): string | null {
  const event = readObject(text);
  return event === null || event['type'] === 'sync'
    ? null
    : JSON.stringify({ ...event, identifier: '', anchor: '', consent: '' });
}

function readObject(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}
