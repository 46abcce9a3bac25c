import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { quickenTexts } from '../proto/string-methods.ts';

/** A connection that outlives its Redis: what is asked meanwhile is answered when it is back. */
export function openRedis(url: string, log: Logger): Redis {
  quickenTexts();
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  let isAway = false;
  redis.on('error', (error) => {
    if (!isAway) log.warn({ err: error }, 'Redis is away');
    isAway = true;
  });
  redis.on('ready', () => {
    if (isAway) log.info('Redis is back');
    isAway = false;
  });
  return redis;
}
