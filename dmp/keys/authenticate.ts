import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from '../problem.ts';
import type { ApiKey } from './api-key.ts';
import type { Principal } from './auth.ts';
import { scopesOf } from './roles.ts';

const KEY = /^wk_([a-zA-Z0-9][a-zA-Z0-9_-]{0,63})_([0-9a-f]{64})$/;
const SECRET_BYTES = 32;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route needs no key. */
    open?: boolean;
  }
}

/** What says whose a key is. */
export type KeptKey = Omit<ApiKey, 'name'>;
type KeyOf = (id: string) => KeptKey | undefined;

/** Every route but the open ones needs a key; the hook runs before the body is read. */
export function useAuthentication(app: FastifyInstance, keyOf: KeyOf, adminKey: string | null): void {
  const admin = adminKey === null ? null : digest(adminKey);
  app.decorateRequest('principal', null as unknown as Principal);
  app.addHook('onRequest', async (request) => {
    if (isOpen(request)) return;
    const principal = principalOf(bearerOf(request), keyOf, admin);
    if (principal === null)
      throw new Problem(401, 'unauthorized', 'The call needs a valid API key', {
        detail: 'Send it as "Authorization: Bearer wk_…"',
        headers: { 'www-authenticate': 'Bearer' },
      });
    request.principal = principal;
  });
}

/** The documentation's own pages are registered by its plugin, so they are known by their address. */
function isOpen(request: FastifyRequest): boolean {
  const { url = '', config } = request.routeOptions;
  return config.open === true || url === '/docs' || url.startsWith('/docs/');
}

function bearerOf(request: FastifyRequest): string | null {
  return /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? null;
}

function principalOf(key: string | null, keyOf: KeyOf, admin: Buffer | null): Principal | null {
  if (key === null) return null;
  if (admin !== null && timingSafeEqual(digest(key), admin)) return { id: 'admin', advertiser: null, scopes: ['admin'] };
  const [, id, secret] = KEY.exec(key) ?? [];
  const body = id === undefined ? undefined : keyOf(id);
  if (id === undefined || secret === undefined || body === undefined) return null;
  if (!timingSafeEqual(digest(secret), Buffer.from(body.hash, 'hex'))) return null;
  const { advertiser, exchange = null, rateLimit = null } = body;
  return { id, advertiser, exchange, scopes: scopesOf(body.role, body.scopes), rateLimit };
}

/** A new secret of 256 bits with what is kept of it. */
export function issueSecret(id: string): { readonly key: string; readonly hash: string } {
  const secret = randomBytes(SECRET_BYTES).toString('hex');
  return { key: `wk_${id}_${secret}`, hash: digest(secret).toString('hex') };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
