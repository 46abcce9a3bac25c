import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { recordAct } from '../audit/record.ts';
import { PersonIdentifier } from '../consents/consent.ts';
import type { DmpDeps } from '../deps.ts';
import { referenceFault } from '../http/references.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { Id, nullable, Time } from '../http/schema.ts';
import { keysFor } from '../identity/asking.ts';
import { requireScope } from '../keys/auth.ts';
import { invalid, notFound } from '../problem.ts';
import { mayBring } from '../sources/access.ts';
import { exportLines } from './export.ts';
import { type PersonKeys, personOf, profileOf } from './person.ts';
import { type Sight, sightOf } from './sight.ts';
import { viewOf } from './view.ts';

const tags = ['profiles'];
const Text = Type.String();

const View = Type.Object({
  id: Type.Integer(),
  optedOut: Type.Boolean(),
  identifiers: Type.Array(
    Type.Object({
      kind: Text,
      key: Type.String({ description: 'its beginning' }),
      sources: Type.Array(Text),
      firstSeen: nullable(Time),
      lastSeen: nullable(Time),
    }),
  ),
  segments: Type.Array(
    Type.Object({ id: Text, name: Text, since: Time, reason: Type.String({ description: 'the rule, in words' }) }),
  ),
  purchases: Type.Array(
    Type.Object({
      at: Time,
      source: Text,
      store: Text,
      receipt: Text,
      amountMicros: Type.Integer(),
      currency: Text,
      lines: Type.Integer(),
    }),
    { description: 'the last 20 receipts' },
  ),
  visits: Type.Array(Type.Object({ kind: Text, place: Text, day: Text, start: Time, dwellSeconds: Type.Integer() })),
  exposures: Type.Array(Type.Object({ type: Text, at: Time, campaign: Text, lineItem: Text, creative: Text, exchange: Text })),
  consents: Type.Object({
    purposes: Type.Object({}, { additionalProperties: true }),
    history: Type.Array(Type.Object({}, { additionalProperties: true })),
  }),
  sources: Type.Array(Type.Object({ id: Text, name: Text, rows: Type.Object({}, { additionalProperties: Type.Integer() }) })),
});

const params = Type.Object({ id: Type.Integer({ minimum: 1, maximum: 4_294_967_295 }) });
const FindBody = Type.Object(
  { identifier: PersonIdentifier, source: Type.Optional(Id('the source whose numbers they are')) },
  { additionalProperties: false },
);
const response = {
  200: { description: 'It', content: { 'application/json': { schema: View } } },
  ...PROBLEM_RESPONSES,
};
const description =
  'Every look is written to the audit log before it is had. A key that is bound to an advertiser sees what is of sources that the advertiser may use, its own places, bids and segments; whom none of these sources names is not there.';

/** GET /v1/profiles/{id}, GET /v1/profiles/{id}/export, POST /v1/profiles:find */
export function registerProfilesRoutes(app: FastifyInstance, deps: DmpDeps): void {
  const look = async (request: FastifyRequest, action: string, profile: number | null): Promise<[PersonKeys, Sight]> => {
    const sight = sightOf(deps, request.principal);
    const person = profile === null ? null : await personOf(deps, profile, sight);
    if (person === null) throw notFound('profile');
    await recordAct(deps, request, { action, kind: 'profiles', id: String(person.profile) });
    return [person, sight];
  };

  const get = { tags, operationId: 'getProfile', summary: 'A person in one view', description, params, response };
  app.get<{ Params: Static<typeof params> }>('/v1/profiles/:id', { schema: get }, async (request) => {
    requireScope(request, 'profiles:read');
    return viewOf(deps, ...(await look(request, 'getProfile', request.params.id)));
  });

  const find = {
    ...{ tags, operationId: 'findProfile', summary: 'A person in one view, by any of their identifiers', description, response },
    body: FindBody,
  };
  // By a body, since what stands in an address ends in logs.
  app.post('/v1/profiles::find', { schema: find, config: { idempotent: false, audited: 'none' } }, async (request) => {
    requireScope(request, 'profiles:read');
    return viewOf(deps, ...(await look(request, 'findProfile', await profileOf(deps, keysOf(deps, request)))));
  });

  const lines = { description: 'A row a line', content: { 'application/x-ndjson': { schema: Type.String() } } };
  const take = {
    ...{ tags, operationId: 'exportProfile', summary: 'All rows of a person, as lines of JSON', description, params },
    response: { 200: lines, ...PROBLEM_RESPONSES },
  };
  app.get<{ Params: Static<typeof params> }>('/v1/profiles/:id/export', { schema: take }, async (request, reply) => {
    requireScope(request, 'profiles:read');
    const [person, sight] = await look(request, 'exportProfile', request.params.id);
    return reply.type('application/x-ndjson').send(Readable.from(exportLines(deps, person, sight)));
  });
}

function keysOf(deps: DmpDeps, { body, principal }: FastifyRequest): string[] {
  const { things } = deps;
  const { identifier, source } = body as Static<typeof FindBody>;
  const thing = source === undefined ? undefined : things.get('source', source);
  if (source !== undefined) {
    const faults = referenceFault(things, 'source', source, '/source', null);
    if (faults.length === 0 && !mayBring(thing?.body, principal.advertiser))
      faults.push({ pointer: '/source', code: 'unknown_source', message: `there is no source ${source}` });
    if (faults.length > 0) throw invalid(faults);
  }
  return keysFor(deps, { advertiser: principal.advertiser, contract: thing?.body }, [identifier]);
}
