import type { FastifyRequest } from 'fastify';
import { Problem } from '../problem.ts';
import type { RateLimit } from './api-key.ts';
import type { Scope } from './scopes.ts';

/** Whose key the request carries. */
export interface Principal {
  /** Id of the API key, the actor of its writes. */
  readonly id: string;
  /** The advertiser that the key is bound to; null: all. */
  readonly advertiser: string | null;
  readonly scopes: readonly Scope[];
  /** The exchange that the key is bound to; null or absent: none. */
  readonly exchange?: string | null;
  /** Null: as keys that name none; absent: not limited. */
  readonly rateLimit?: RateLimit | null;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on every route but the open ones. */
    principal: Principal;
  }
}

/** Throws 403 unless the key has the scope (or `admin`, which has all). */
export function requireScope(request: FastifyRequest, scope: Scope): void {
  const { scopes } = request.principal;
  if (scopes.includes('admin') || scopes.includes(scope)) return;
  throw new Problem(403, 'forbidden', `The API key lacks the scope ${scope}`);
}

/** Whether the key may see a thing of this advertiser (null: of nobody in particular, open to all keys). */
export function maySee(principal: Principal, advertiser: string | null): boolean {
  return principal.advertiser === null || advertiser === null || principal.advertiser === advertiser;
}
