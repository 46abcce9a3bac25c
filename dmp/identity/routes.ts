import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { IDENTIFIER_KINDS } from '../../proto/identifier.ts';
import type { DmpDeps } from '../deps.ts';
import { endEra } from '../events/edge-memory.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { Id, nullable, oneOf } from '../http/schema.ts';
import { maySee, requireScope } from '../keys/auth.ts';
import { invalid, notFound } from '../problem.ts';
import { percentOf } from '../segments/unit.ts';
import { maySeeSource } from '../sources/access.ts';
import { keyringsFor, keysIn } from './asking.ts';
import { matchRate } from './match-rate.ts';
import { registerPeppersRoutes } from './pepper-routes.ts';
import { withdraw } from './withdraw.ts';

const DAY_MS = 86_400_000;

/** GET /v1/reports/match-rate, POST /v1/identity-withdrawals, and the peppers. */
export function registerIdentityRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerMatchRate(app, deps);
  registerWithdrawals(app, deps);
  registerPeppersRoutes(app, deps);
}

const Query = Type.Object(
  {
    source: Type.Optional(Type.String({ maxLength: 200, description: 'this source alone' })),
    segment: Type.Optional(Type.String({ maxLength: 200, description: 'members of this segment alone' })),
    days: Type.Integer({ minimum: 1, maximum: 90, default: 30, description: 'bids of the last so many times 24 hours' }),
  },
  { additionalProperties: false },
);

const Count = Type.Unsafe<number | null>({ type: ['integer', 'null'] });
const Rate = Type.Unsafe<number | null>({ type: ['number', 'null'] });
const COUNTS = {
  identifiers: Count,
  people: Count,
  addressable: Type.Unsafe<number | null>({ type: ['integer', 'null'], description: 'people whom a bid request can name' }),
  rate: Rate,
};

const View = Type.Object({
  asOf: Type.String({ format: 'date-time' }),
  all: Type.Object(COUNTS),
  sources: Type.Array(Type.Object({ source: Type.String(), ...COUNTS })),
  kinds: Type.Array(Type.Object({ kind: Type.String(), ...COUNTS })),
  exchanges: Type.Array(Type.Object({ exchange: Type.String(), people: Count, rate: Rate })),
});

function registerMatchRate(app: FastifyInstance, { warehouse, things, now }: DmpDeps): void {
  const schema = {
    tags: ['reports'],
    operationId: 'getMatchRate',
    summary: 'How many people bidding can meet: by source, by kind of identifier, by exchange',
    description:
      'Before a campaign is booked. A person counts as addressable who has an identifier that bid requests carry; of a segment with a confidence, one that is theirs as surely. Counts of fewer than ten people are null; to a key of an advertiser counts are to the nearest ten.',
    querystring: Query,
    response: { 200: { description: 'It', content: { 'application/json': { schema: View } } }, ...PROBLEM_RESPONSES },
  };
  app.get<{ Querystring: Static<typeof Query> }>('/v1/reports/match-rate', { schema }, async (request) => {
    requireScope(request, 'reports:read');
    const { principal, query } = request;
    const seen = things.list('source').filter((source) => maySeeSource(source, principal.advertiser));
    if (query.source !== undefined && !seen.some(({ id }) => id === query.source)) throw notFound('source');
    const segment = query.segment === undefined ? undefined : things.get('segment', query.segment);
    if (query.segment !== undefined && (segment === undefined || !maySee(principal, segment.body.advertiser)))
      throw notFound('segment');
    const ids = seen.map(({ id }) => id);
    const sources = query.source !== undefined ? [query.source] : principal.advertiser === null ? null : ids;
    const report = await matchRate(warehouse, {
      sources,
      exchanges: things.list('exchange').map(({ id }) => id),
      segment: query.segment ?? null,
      // Whatever the segment counts together (devices, people, households), it is people who are met.
      sure: percentOf(segment?.body.confidence),
      since: now() - query.days * DAY_MS,
      to: principal,
    });
    return { asOf: new Date(now()).toISOString(), ...report };
  });
}

const Named = Type.Object(
  { kind: oneOf(IDENTIFIER_KINDS), value: Type.String({ maxLength: 1024 }) },
  { additionalProperties: false },
);

const Withdrawal = Type.Object(
  {
    a: Named,
    b: Named,
    source: nullable(Id('the source that said so'), { default: null, description: 'null: whoever said so' }),
    namespace: Type.Optional(
      Type.String({ maxLength: 64, description: 'of loyalty, customer and card numbers; by default the source’s' }),
    ),
  },
  { additionalProperties: false },
);

const Withdrawn = Type.Object({ sources: Type.Array(Type.String(), { description: 'that had said so' }) });

function registerWithdrawals(app: FastifyInstance, deps: DmpDeps): void {
  const schema = {
    tags: ['identity'],
    operationId: 'withdrawEdge',
    summary: 'Take back that two identifiers are one person',
    description: 'With the next refresh they part, unless something else joins them. Named together again, they are one again.',
    body: Withdrawal,
    response: {
      200: { description: 'Taken back', content: { 'application/json': { schema: Withdrawn } } },
      ...PROBLEM_RESPONSES,
    },
  };
  app.post<{ Body: Static<typeof Withdrawal> }>('/v1/identity-withdrawals', { schema }, async (request) => {
    requireScope(request, 'admin');
    const { a, b, source, namespace } = request.body;
    const contract = source === null ? undefined : deps.things.get('source', source)?.body;
    const keyrings = keyringsFor(deps, { advertiser: null, contract, namespace });
    const [of, and] = [a, b].map((identifier) => keysIn(keyrings, [identifier]).map(({ key }) => key)) as [string[], string[]];
    const faults = [of, and].flatMap((keys, at) =>
      keys.length === 0 ? [{ pointer: at === 0 ? '/a' : '/b', code: 'no_identifier' as const, message: 'names nobody' }] : [],
    );
    if (faults.length > 0) throw invalid(faults, 'The withdrawal is not valid');
    const sources = await withdraw(deps, of, and, source);
    await endEra(deps.redis);
    return { sources };
  });
}
