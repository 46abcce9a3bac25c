import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Counter } from 'prom-client';
import { Type } from 'typebox';
import { placelessKeys, refusedKeys } from '../consents/refused.ts';
import type { DmpDeps } from '../deps.ts';
import { peppersOfSource } from '../identity/tenant.ts';
import { requireScope } from '../keys/auth.ts';
import { Problem } from '../problem.ts';
import { mayBring } from '../sources/access.ts';
import { namespaceOf, termsOf } from '../sources/source.ts';
import { createStream } from '../streaming/stream.ts';
import { createBatcher } from './batch.ts';
import { type BodyLimits, mediaType, readBody } from './body.ts';
import { DEFAULT_SOURCE, EVENT_SCHEMAS } from './event.ts';
import { jsonRows, ndjsonRows, type Taken, takeEvents } from './intake.ts';
import { createKeyring } from './keyring.ts';
import type { Terms } from './terms.ts';

const taken = new Counter({
  name: 'walkin_events_total',
  help: 'Events that were streamed in, by what became of them',
  labelNames: ['outcome'] as const,
});

const LIMITS: BodyLimits = { sent: 20 * 1024 ** 2, inflated: 100 * 1024 ** 2 };
const NDJSON: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
  'application/x-jsonlines',
]);

const SCHEMA = {
  operationId: 'postEvents',
  summary: 'Take events',
  description:
    'JSON (one event, an array, or {"events": […]}) or NDJSON, gzip allowed; at most 20 MB, 100 MB inflated. Answered when all are durable. A wrong event goes to quarantine and does not stop the others; sending an event again changes nothing.',
  tags: ['events'],
  consumes: ['application/json', 'application/x-ndjson'],
  querystring: Type.Object({ source: Type.Optional(Type.String({ default: DEFAULT_SOURCE, description: 'Id of the source' })) }),
  body: Type.Union(Object.values(EVENT_SCHEMAS)),
  response: {
    200: Type.Object({
      accepted: Type.Integer(),
      quarantined: Type.Integer(),
      errors: Type.Array(
        Type.Object({ line: Type.Integer(), pointer: Type.String(), code: Type.String(), message: Type.String() }),
        { maxItems: 100 },
      ),
    }),
  },
};

/** POST /v1/events */
export function registerEventRoutes(app: FastifyInstance, deps: DmpDeps): void {
  const batcher = createBatcher({ ...deps, stream: createStream(deps) });
  app.addHook('onClose', () => batcher.close());
  app.register(async (scope) => {
    // The body is read here: its limits are other ones than those of the API, and one wrong row must not refuse it.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    const validatorCompiler = () => () => true;
    scope.post('/v1/events', { schema: SCHEMA, validatorCompiler, config: { audited: 'none' } }, async (request) => {
      requireScope(request, 'events:write');
      const source = sourceOf(request, deps);
      const type = mediaType(request.headers);
      if (type !== 'application/json' && !NDJSON.has(type))
        throw new Problem(415, 'unsupported_media_type', 'Events are application/json or application/x-ndjson');
      const body = await readBody(streamOf(request), request.headers, LIMITS);
      const [refused, placeless] = [await refusedKeys(deps), await placelessKeys(deps)];
      const peppers = peppersOfSource(deps, source.contract);
      const keyring = createKeyring(peppers, namespaceOf(source.contract), source.contract);
      const terms = { ...source, refused, placeless, keyring, vendor: deps.vendor, now: deps.now() };
      const rows = type === 'application/json' ? jsonRows(body) : ndjsonRows(body);
      return count(await takeEvents(rows, terms, peppers.own, batcher, body.includes('"privacy"')));
    });
  });
}

/** A key that is bound to an advertiser brings data to sources that it holds, or that the operator shares with it. */
function sourceOf(request: FastifyRequest, deps: DmpDeps): Pick<Terms, 'source' | 'currency' | 'contract'> {
  const { source = DEFAULT_SOURCE } = request.query as { source?: unknown };
  const thing = typeof source === 'string' ? deps.things.get('source', source) : undefined;
  const isKnown = source === DEFAULT_SOURCE || thing !== undefined;
  if (typeof source !== 'string' || !isKnown || !mayBring(thing?.body, request.principal.advertiser)) {
    throw new Problem(422, 'unknown_source', 'There is no such source', {
      errors: [{ pointer: '?source', code: 'unknown_source', message: 'is not the id of a source' }],
    });
  }
  // Nothing of it is kept, in quarantine neither.
  if (thing !== undefined && termsOf(thing.body).revoked !== null)
    throw new Problem(409, 'source_revoked', 'The contract of the source has ended');
  return { source, currency: thing?.body.currency ?? 'USD', contract: thing?.body };
}

/** A call without a body has no stream, but its connection, which has ended, reads as empty. */
function streamOf(request: FastifyRequest): IncomingMessage {
  return (request.body as IncomingMessage | undefined) ?? request.raw;
}

function count(result: Taken): Taken {
  taken.inc({ outcome: 'accepted' }, result.accepted);
  taken.inc({ outcome: 'quarantined' }, result.quarantined);
  return result;
}
