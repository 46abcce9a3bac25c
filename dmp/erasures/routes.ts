import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { PersonIdentifier } from '../consents/consent.ts';
import { announceRefusal } from '../consents/refused.ts';
import type { DmpDeps } from '../deps.ts';
import { referenceFault } from '../http/references.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { Id, nullable, Time } from '../http/schema.ts';
import { keysFor } from '../identity/asking.ts';
import { type Principal, requireScope } from '../keys/auth.ts';
import { optOut } from '../opt-out/opt-out.ts';
import { type Fault, invalid, notFound, Problem } from '../problem.ts';
import { namespaceOf } from '../sources/source.ts';
import { countRows } from './erase.ts';
import { namesOf } from './names.ts';
import { peopleBehind, remember } from './person.ts';
import { readErasure, writeErasure } from './receipt.ts';

const tags = ['erasures'];

const Body = Type.Object(
  {
    identifiers: Type.Array(PersonIdentifier, { minItems: 1, maxItems: 64, description: 'of one person' }),
    source: Type.Optional(Id('the source whose numbers loyalty, customer and card identifiers are')),
  },
  { additionalProperties: false },
);
type Body = Static<typeof Body>;

const Counts = Type.Object({}, { additionalProperties: Type.Integer(), description: 'rows by place' });
const WouldGo = Type.Object({
  identifiers: Type.Integer(),
  profiles: Type.Integer(),
  shared: Type.Integer({ description: 'named, but several people’s: they stay' }),
  rows: Counts,
});
const View = Type.Object({
  id: Type.String(),
  at: Time,
  actor: Type.String(),
  job: Type.Optional(Type.String({ description: 'that does it; told when it is asked for' })),
  receipt: nullable(
    Type.Object({
      identifiers: Type.Integer(),
      profiles: Type.Integer(),
      shared: Type.Integer(),
      erased: Counts,
      proof: Type.Object({
        at: Time,
        searched: Type.Array(Type.String()),
        redisKeys: Type.Integer(),
        files: Type.Optional(Type.Integer({ description: 'that were sent to be imported and are still here' })),
        exportFiles: Type.Optional(Type.Integer({ description: 'of exports that are kept' })),
        found: Type.Array(Type.Unknown()),
      }),
    }),
    { description: 'null: it is not done' },
  ),
});
const json = (schema: object) => ({ description: 'It', content: { 'application/json': { schema } } });

/** POST /v1/erasures, GET /v1/erasures/{id} */
export function registerErasuresRoutes(app: FastifyInstance, deps: DmpDeps): void {
  const create = {
    tags,
    operationId: 'erasePerson',
    summary: 'Erase a person from everything, with a receipt',
    description:
      'When it is answered nobody bids on the person and nothing of them is taken in any more. The job takes them out of every table and of Redis and searches for them: its receipt says what went, and that nothing was found. Keys stay, so that the person does not come back with the next import.',
    querystring: Type.Object(
      { validateOnly: Type.Optional(Type.Boolean({ description: 'tell what would go, change nothing' })) },
      { additionalProperties: false },
    ),
    body: Body,
    response: { 200: json(WouldGo), 202: json(View), ...PROBLEM_RESPONSES },
  };
  app.post('/v1/erasures', { schema: create, config: { idempotent: false } }, async (request, reply) => {
    requireOperator(request.principal);
    requireScope(request, 'privacy:write');
    const keys = await keysOf(deps, request.body as Body);
    const { owned, shared } = await peopleBehind(deps, keys);
    if ((request.query as { validateOnly?: boolean }).validateOnly === true) {
      const profiles = new Set(owned.map(({ profile }) => profile).filter((profile) => profile > 0)).size;
      return { identifiers: owned.length, profiles, shared, rows: await countRows(deps, owned) };
    }
    if (owned.length === 0) throw new Problem(409, 'conflict', 'All of the identifiers are several people’s');
    const id = `era_${randomBytes(9).toString('hex')}`;
    await optOut(
      deps,
      owned.map(({ identifier }) => identifier),
    );
    await remember(deps, id, owned);
    await announceRefusal(deps.redis);
    const erasure = { id, at: new Date(deps.now()).toISOString(), actor: request.principal.id, receipt: null };
    // First the record, since the job may be quicker than the answer.
    await writeErasure(deps, erasure);
    const job = await deps.jobs.enqueue('erase', { erasure: id }, request.principal.id);
    reply.code(202).header('location', `/v1/erasures/${id}`);
    return { ...erasure, job: job.id };
  });

  const read = {
    tags,
    operationId: 'getErasure',
    summary: 'An erasure and its receipt',
    params: Type.Object({ id: Type.String({ maxLength: 200 }) }),
    response: { 200: json(View), ...PROBLEM_RESPONSES },
  };
  app.get<{ Params: { id: string } }>('/v1/erasures/:id', { schema: read }, async (request) => {
    requireOperator(request.principal);
    requireScope(request, 'privacy:write');
    const erasure = await readErasure(deps.warehouse, request.params.id);
    if (erasure === null) throw notFound('erasure');
    return erasure;
  });
}

/** A person's data is that of several advertisers. */
function requireOperator({ advertiser }: Principal): void {
  if (advertiser !== null) throw new Problem(403, 'forbidden', 'A key that is bound to an advertiser cannot erase people');
}

async function keysOf(deps: DmpDeps, { identifiers, source }: Body): Promise<string[]> {
  const { things } = deps;
  const faults: Fault[] = source === undefined ? [] : referenceFault(things, 'source', source, '/source', null);
  identifiers.forEach(({ kind }, at) => {
    if (kind !== 'ip') return;
    faults.push({ pointer: `/identifiers/${at}/kind`, code: 'enum', message: 'a network is a household’s, and no person’s' });
  });
  const contract = source === undefined ? undefined : things.get('source', source)?.body;
  const keys = keysFor(deps, { advertiser: null, contract }, identifiers);
  if (keys.length === 0) faults.push({ pointer: '/identifiers', code: 'no_identifier', message: 'none of them names anybody' });
  if (faults.length > 0) throw invalid(faults);
  return [...new Set([...keys, ...(await namesOf(deps, identifiers, namespaceOf(contract)))])];
}
