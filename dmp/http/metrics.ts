import Fastify, { type FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Histogram, register } from 'prom-client';
import type { DmpDeps } from '../deps.ts';
import { registerHealth } from './health.ts';

const requestSeconds = new Histogram({
  name: 'walkin_api_request_seconds',
  help: 'Time that the admin API took to answer, by route, method and status',
  labelNames: ['route', 'method', 'status'],
  buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
});

/** Times every answer. Labels are routes as they are written here, so their number is known. */
export function useMetrics(app: FastifyInstance): void {
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    requestSeconds.observe({ route, method: request.method, status: reply.statusCode }, reply.elapsedTime / 1000);
  });
}

/** The app of the metrics port: /livez, /readyz, /metrics. */
export function buildMetricsApp(deps: Pick<DmpDeps, 'redis' | 'warehouse'>): FastifyInstance {
  if (register.getSingleMetric('process_cpu_seconds_total') === undefined) collectDefaultMetrics();
  const app = Fastify();
  registerHealth(app, deps);
  app.get('/metrics', async (_, reply) => reply.type(register.contentType).send(await register.metrics()));
  return app;
}
