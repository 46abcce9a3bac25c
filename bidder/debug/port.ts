import { createHash, timingSafeEqual } from 'node:crypto';
import { hostname } from 'node:os';
import type { FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import { type AnnouncedBidder, type DebugQuestion, debugKey } from '../../proto/debug.ts';
import { BIDDERS_KEY } from '../../proto/keys.ts';
import type { Workers } from './channel.ts';
import type { DebugReply } from './debugger.ts';

const MOST_BYTES = 4 * 1024 * 1024;
const ANNOUNCE_MS = 5_000;
/** Of a question, what no worker could answer. */
const STATUS = { unknown_exchange: 404, no_snapshot: 503, busy: 503, failed: 500 } as const;

/** `POST /debug` of the private port, for who knows the key: asks one worker, or all, and answers with a list. */
export function registerDebugPort(app: FastifyInstance, workers: Workers, pepper: string): void {
  const key = digest(`Bearer ${debugKey(pepper)}`);
  app.post('/debug', { bodyLimit: MOST_BYTES }, async (request, reply) => {
    if (!timingSafeEqual(digest(request.headers.authorization ?? ''), key)) return reply.code(401).send();
    const question = request.body as DebugQuestion;
    const replies = question.kind === 'bid' ? [await workers.askOne(question)] : await workers.askAll(question);
    const [fault] = replies.flatMap((one) => faultOf(one));
    if (fault !== undefined) return reply.code(STATUS[fault]).send({ fault });
    return reply.send({ answers: replies });
  });
}

function faultOf(reply: DebugReply | null): (keyof typeof STATUS)[] {
  if (reply === null) return ['busy'];
  return 'fault' in reply ? [reply.fault] : [];
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** While it lasts, the dmp finds the bidder. */
export interface Announced {
  stop(): Promise<void>;
}

/** Tells the dmp where the private port is, again and again. */
export function announceBidder(redis: Redis, name: string, host: string, port: number): Announced {
  const address = `http://${hostOf(host)}:${port}`;
  const announce = (): void => {
    const announced: AnnouncedBidder = { address, at: Date.now() };
    redis.hset(BIDDERS_KEY, name, JSON.stringify(announced)).catch(() => undefined);
  };
  announce();
  redis.on('ready', announce);
  const timer = setInterval(announce, ANNOUNCE_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      redis.off('ready', announce);
      await redis.hdel(BIDDERS_KEY, name).catch(() => undefined);
    },
  };
}

/** One that listens on all addresses is found by its machine's name. */
function hostOf(host: string): string {
  if (host === '0.0.0.0' || host === '::') return hostname();
  return host.includes(':') ? `[${host}]` : host;
}
