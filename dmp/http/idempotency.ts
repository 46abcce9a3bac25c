import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Redis } from 'ioredis';
import { Problem } from '../problem.ts';

/** How long an answer is kept, and how long a call may run before its key is free again (it died). */
const KEPT_SECONDS = 24 * 3600;
const RUNNING_SECONDS = 60;
const KEY = /^[\x21-\x7e]{1,255}$/;
const REPLAYED_HEADERS = ['location', 'etag', 'content-type', 'retry-after'] as const;

interface Kept {
  readonly body: string;
  /** Absent while the call runs. */
  readonly answer?: { readonly status: number; readonly headers: Record<string, string>; readonly payload: string };
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What is kept of this call under its Idempotency-Key while it is the one that runs, else null. */
    idempotency: { readonly key: string; readonly body: string } | null;
  }
  interface FastifyContextConfig {
    /** False where an answer holds a secret, which is not kept. */
    idempotent?: boolean;
  }
}

/**
 * `Idempotency-Key` on every POST with a JSON body: the same key with the same body from the same principal on the same route
 * gets the first answer again. Only successes are kept; a call that failed may be made again.
 */
export function useIdempotency(app: FastifyInstance, redis: Redis): void {
  app.decorateRequest('idempotency', null);
  app.addHook('preHandler', (request, reply) => begin(redis, request, reply));
  app.addHook('onSend', (request, reply, payload) => finish(redis, request, reply, payload));
}

async function begin(redis: Redis, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  const header = request.headers['idempotency-key'];
  if (header === undefined || request.method !== 'POST' || request.routeOptions.config.idempotent === false) return undefined;
  if (isStream(request.body)) return undefined;
  if (typeof header !== 'string' || !KEY.test(header))
    throw new Problem(400, 'bad_header', 'Idempotency-Key must be 1 to 255 visible ASCII characters');
  const key = keyOf(request, header);
  const body = digest(JSON.stringify(request.body ?? null));
  const running = JSON.stringify({ body } satisfies Kept);
  if ((await redis.set(key, running, 'EX', RUNNING_SECONDS, 'NX')) === 'OK') {
    request.idempotency = { key, body };
    return undefined;
  }
  // Gone since: the first call has failed just now, this one may be made again.
  const before = (await redis.get(key)) ?? running;
  return replay(JSON.parse(before) as Kept, body, reply);
}

function replay(kept: Kept, body: string, reply: FastifyReply): FastifyReply {
  if (kept.body !== body) throw new Problem(422, 'idempotency_mismatch', 'The Idempotency-Key was used before with another body');
  if (kept.answer === undefined)
    throw new Problem(409, 'idempotency_running', 'The first call with this Idempotency-Key is still running', {
      headers: { 'retry-after': '1' },
    });
  const { status, headers, payload } = kept.answer;
  return reply.code(status).headers(headers).header('idempotency-replayed', 'true').serializer(String).send(payload);
}

async function finish(redis: Redis, request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  if (request.idempotency === null) return payload;
  const { key, body } = request.idempotency;
  request.idempotency = null;
  if (reply.statusCode >= 300 || (typeof payload !== 'string' && payload !== undefined && payload !== null)) {
    await redis.del(key);
    return payload;
  }
  const headers = Object.fromEntries(
    REPLAYED_HEADERS.flatMap((name) => (reply.hasHeader(name) ? [[name, String(reply.getHeader(name))]] : [])),
  );
  const kept: Kept = { body, answer: { status: reply.statusCode, headers, payload: payload ?? '' } };
  await redis.set(key, JSON.stringify(kept), 'EX', KEPT_SECONDS);
  return payload;
}

/**
 * A seed for the id of what this call creates, so that a call that was cut off after its write finds its own thing when it is
 * made again. Null without an Idempotency-Key.
 */
export function idempotencySeed(request: FastifyRequest): string | null {
  return request.idempotency === null ? null : digest(request.idempotency.key);
}

function keyOf(request: FastifyRequest, header: string): string {
  return `walkin:idempotency:${digest(`${request.principal.id}\n${request.url}\n${header}`)}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

function isStream(body: unknown): boolean {
  return Buffer.isBuffer(body) || (typeof body === 'object' && body !== null && 'pipe' in body);
}
