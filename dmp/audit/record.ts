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

/** Writes an act down. Await it where the act must not happen unrecorded, as a look at a person. */
export async function recordAct(
  { warehouse, now }: { readonly warehouse: Warehouse; readonly now: () => number },
  { principal, id: request }: { readonly principal: Principal; readonly id: string },
  act: Act,
): Promise<void> {
  const { id: actor, advertiser } = principal;
  await warehouse.insert('audit_log', [
    { at: new Date(now()).toISOString(), actor, advertiser: advertiser ?? '', request, ...act },
  ]);
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
