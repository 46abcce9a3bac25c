import type { FastifyInstance } from 'fastify';
import { SNAPSHOT_VERSION_KEY } from '../../proto/keys.ts';
import type { DmpDeps } from '../deps.ts';

export interface Readiness {
  readonly ready: boolean;
  /** What is missing, in words. */
  readonly reasons: readonly string[];
  readonly snapshotVersion: number;
}

const PATIENCE_MS = 2_000;

/** /livez: the process answers. /readyz: it can do its work, 503 with the reasons where it cannot. Open to all. */
export function registerHealth(app: FastifyInstance, deps: Pick<DmpDeps, 'redis' | 'warehouse'>): void {
  const open = { config: { open: true }, schema: { hide: true } };
  app.get('/livez', open, () => ({ live: true }));
  app.get('/readyz', open, async (_, reply) => {
    const readiness = await readinessOf(deps);
    return reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
}

async function readinessOf({ redis, warehouse }: Pick<DmpDeps, 'redis' | 'warehouse'>): Promise<Readiness> {
  const [version, rows] = await Promise.allSettled([
    soon(redis.status === 'ready' ? redis.get(SNAPSHOT_VERSION_KEY) : Promise.reject(new Error(redis.status))),
    soon(warehouse.query({ sql: 'SELECT 1' }, { seconds: 2 })),
  ]);
  const reasons = [
    ...(version.status === 'rejected' ? ['Redis does not answer'] : []),
    ...(rows.status === 'rejected' ? ['ClickHouse does not answer'] : []),
  ];
  return {
    ready: reasons.length === 0,
    reasons,
    snapshotVersion: version.status === 'fulfilled' ? Number(version.value ?? 0) : 0,
  };
}

function soon<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('timeout')), PATIENCE_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
