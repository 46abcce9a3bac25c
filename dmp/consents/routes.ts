import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { recordAct } from '../audit/record.ts';
import type { DmpDeps } from '../deps.ts';
import type { Keyring } from '../events/keyring.ts';
import { isObject } from '../http/merge-patch.ts';
import { referenceFault } from '../http/references.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { Id, nullable, oneOf, Time } from '../http/schema.ts';
import { keyringsFor, keysFor } from '../identity/asking.ts';
import { requireScope } from '../keys/auth.ts';
import { type Fault, invalid } from '../problem.ts';
import { mayBring } from '../sources/access.ts';
import { PURPOSES } from '../sources/purposes.ts';
import { type ConsentInput, ConsentsBody, PersonIdentifier } from './consent.ts';
import { hear, record } from './record.ts';
import { readWords } from './state.ts';
import { standing, wordView } from './words.ts';

const tags = ['consents'];
const answers = (status: 200 | 201, schema: object) => ({
  [status]: { description: 'It', content: { 'application/json': { schema } } },
  ...PROBLEM_RESPONSES,
});

const RecordedView = Type.Object({
  results: Type.Array(
    Type.Object({
      id: Type.String(),
      at: Time,
      identifiers: Type.Integer({ description: 'that name somebody' }),
      purposes: Type.Array(oneOf(PURPOSES)),
      status: oneOf(['granted', 'withdrawn']),
    }),
  ),
  job: Type.Unsafe<string | null>({
    type: ['string', 'null'],
    description: 'the refresh after which no segment counts who withdrew',
  }),
});

/** POST /v1/consents, POST /v1/consents:find */
export function registerConsentsRoutes(app: FastifyInstance, deps: DmpDeps): void {
  const take = {
    tags,
    operationId: 'recordConsents',
    summary: 'Write down what people agreed to or took back',
    description:
      'Durable when it is answered, and a withdrawal has acted at the bidders then. The same word again changes nothing. Raw identifiers are keyed and not kept.',
    body: ConsentsBody,
    response: answers(201, RecordedView),
  };
  const preValidation = async (request: FastifyRequest): Promise<void> => {
    if (isObject(request.body) && !Object.hasOwn(request.body, 'consents')) request.body = { consents: [request.body] };
  };
  app.post('/v1/consents', { schema: take, preValidation, config: { idempotent: false } }, async (request, reply) => {
    requireScope(request, 'consents:write');
    const { consents } = request.body as { consents: ConsentInput[] };
    const { principal } = request;
    const { advertiser } = principal;
    const keyrings = new Map<string | undefined, Keyring[]>();
    const keyringsOf = (source: string | undefined): Keyring[] => {
      const contract = source === undefined ? undefined : deps.things.get('source', source)?.body;
      const found = keyrings.get(source) ?? keyringsFor(deps, { advertiser, contract, says: true });
      keyrings.set(source, found);
      return found;
    };
    const heard = consents.map((input, index) => {
      const pointer = `/consents/${index}`;
      const faults = sourceFaults(deps, request, input.source, `${pointer}/source`);
      return faults.length > 0 ? { faults } : hear(deps, input, keyringsOf(input.source), advertiser, pointer);
    });
    const faults = heard.flatMap((one) => ('faults' in one ? one.faults : []));
    if (faults.length > 0) throw invalid(faults);
    const results = await record(
      deps,
      heard.flatMap((one) => ('faults' in one ? [] : [one])),
      principal.advertiser,
      principal.id,
    );
    const isFelt = consents.some(({ status }) => status === 'withdrawn');
    const job = isFelt ? (await deps.jobs.enqueue('refresh', {}, principal.id)).id : null;
    reply.code(201);
    return { results, job };
  });
  registerFind(app, deps);
}

const FindBody = Type.Object(
  { identifier: PersonIdentifier, source: Type.Optional(Id('the source whose numbers they are')) },
  { additionalProperties: false },
);

const WordView = Type.Object({
  id: Type.String(),
  purpose: oneOf(PURPOSES),
  status: oneOf(['granted', 'withdrawn']),
  at: Time,
  expires: nullable(Time),
  source: nullable(Type.String()),
  proof: Type.Unsafe<object | null>({ type: ['object', 'null'] }),
});

const FoundView = Type.Object({
  purposes: Type.Object(
    {},
    { additionalProperties: oneOf(['granted', 'withdrawn', 'expired']), description: 'as they stand now' },
  ),
  history: Type.Array(WordView, { description: 'newest first' }),
});

/** By a body, since what stands in an address ends in logs. */
function registerFind(app: FastifyInstance, deps: DmpDeps): void {
  const schema = {
    tags,
    operationId: 'findConsents',
    summary: 'What a person has said, by any of their identifiers',
    body: FindBody,
    response: answers(200, FoundView),
  };
  app.post('/v1/consents::find', { schema, config: { idempotent: false, audited: 'none' } }, async (request) => {
    requireScope(request, 'consents:read');
    const { identifier, source } = request.body as Static<typeof FindBody>;
    const faults = sourceFaults(deps, request, source, '/source');
    if (faults.length > 0) throw invalid(faults);
    const contract = source === undefined ? undefined : deps.things.get('source', source)?.body;
    const { advertiser } = request.principal;
    const keys = keysFor(deps, { advertiser, contract }, [identifier]);
    // A look at a person is written down before it is had.
    await recordAct(deps, request, { action: 'findConsents', kind: 'consents', id: keys[0] ?? '' });
    const words = await readWords(deps.warehouse, keys, advertiser === null ? null : ['', advertiser]);
    return { purposes: standing(words, deps.now()), history: words.map(wordView) };
  });
}

function sourceFaults({ things }: DmpDeps, { principal }: FastifyRequest, source: string | undefined, pointer: string): Fault[] {
  if (source === undefined) return [];
  const faults = referenceFault(things, 'source', source, pointer, null);
  if (faults.length > 0 || mayBring(things.get('source', source)?.body, principal.advertiser)) return faults;
  return [{ pointer, code: 'unknown_source', message: `there is no source ${source}` }];
}
