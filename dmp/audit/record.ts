import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { DmpDeps } from '../deps.ts';
import type { Principal } from '../keys/auth.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who records a change by this route: `thing`: its revisions do; `none`: it changes nothing; absent: the log itself. */
    audited?: 'thing' | 'none';
  }
}

/** One act that is no revision of a thing. `id` is never a raw identifier. */
export interface Act {
  readonly action: string;
  readonly kind: string;
  readonly id: string;
}

/** Who did it, and by what call. */
interface By {
  readonly principal: Principal;
  readonly id: string;
}

interface Deps {
  readonly warehouse: Warehouse;
  readonly now: () => number;
}

/** Writes an act down. Await it where the act must not happen unrecorded, as a look at a person. */
export function recordAct(deps: Deps, by: By, act: Act): Promise<void> {
  return recordActs(deps, [{ by, act }]);
}

/** The same of many, at once. */
export async function recordActs(
  { warehouse, now }: Deps,
  acts: readonly { readonly by: By; readonly act: Act }[],
): Promise<void> {
  const at = new Date(now()).toISOString();
  await warehouse.insert(
    'audit_log',
    acts.map(({ by: { principal, id: request }, act }) => {
      const { id: actor, advertiser } = principal;
      return { at, actor, advertiser: advertiser ?? '', request, ...act };
    }),
  );
}

/** Records every call that changed something and is not recorded by the revisions of things: no route can forget it. */
export function useAudit(app: FastifyInstance, deps: Pick<DmpDeps, 'warehouse' | 'now'> & { readonly log: Logger }): void {
  app.addHook('onResponse', async (request, reply) => {
    const { config, schema, url = '' } = request.routeOptions;
    const changes = request.method !== 'GET' && request.method !== 'HEAD' && reply.statusCode < 400;
    const isAsked = (request.query as { validateOnly?: unknown } | null)?.validateOnly === true;
    if (!changes || isAsked || config.audited !== undefined || request.principal === null) return;
    const { operationId } = (schema ?? {}) as { operationId?: string };
    const act = {
      action: operationId ?? `${request.method} ${url}`,
      kind: kindOf(url),
      id: idOf(request, reply.getHeader('location')),
    };
    await recordAct(deps, request, act).catch((error: unknown) => deps.log.error({ err: error, act }, 'not in the audit log'));
  });
}

/** The noun of an address: /v1/imports/:id/file → imports. */
function kindOf(url: string): string {
  return /^\/v1\/([a-z-]+)/.exec(url)?.[1] ?? '';
}

/** Of what the call names, or what it made. */
function idOf(request: FastifyRequest, location: unknown): string {
  const { id } = (request.params ?? {}) as { id?: unknown };
  if (typeof id === 'string') return id.slice(0, 200);
  return typeof location === 'string' ? (location.split('/').at(-1) ?? '') : '';
}
