import type { FastifyInstance, FastifyReply } from 'fastify';
import { Type } from 'typebox';
import type { IdentifierKind } from '../../proto/identifier.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { Id, oneOf } from '../http/schema.ts';
import { requireScope } from '../keys/auth.ts';
import { Problem } from '../problem.ts';
import { createLookup, LOOKUP_KINDS, type LookupDeps } from './lookup.ts';
import type { LookupUses } from './lookup-uses.ts';

const closed = { additionalProperties: false } as const;
const Body = Type.Object(
  {
    identifiers: Type.Array(
      Type.Object({ kind: oneOf(LOOKUP_KINDS), value: Type.String({ minLength: 1, maxLength: 512 }) }, closed),
      {
        minItems: 1,
        maxItems: 5,
        description: 'of one visitor',
      },
    ),
    advertiser: Type.Optional(Id('the advertiser whose pages ask; with a key that is bound to none')),
  },
  closed,
);

const SCHEMA = {
  tags: ['memberships'],
  operationId: 'lookupMemberships',
  summary: 'Which of the segments on offer is this visitor in',
  description:
    'For pages, CMS and creatives, with a publishable key: segments of the advertiser’s active destinations of the kind lookup, as bidders know them. Of who opted out or is not known there are none.',
  body: Body,
  response: {
    200: {
      description: 'It',
      content: {
        'application/json': {
          schema: Type.Object({ segments: Type.Array(Type.String({ description: 'code of the segment' })) }),
        },
      },
    },
    ...PROBLEM_RESPONSES,
  },
};
const CORS = {
  tags: ['memberships'],
  operationId: 'askToLookup',
  summary: 'Whether pages of an origin may ask (CORS preflight)',
};
const PREFLIGHT_S = '600';

/** Answers POST /v1/memberships:lookup, in the dmp as in the process that does nothing else; `::` is a colon to the router. */
export function answerLookups(app: FastifyInstance, deps: LookupDeps & { readonly uses: LookupUses }): void {
  const { offers, uses } = deps;
  const lookup = createLookup(deps);
  app.addHook('onClose', () => uses.close());

  // A preflight has no key: any site that somebody's destination names may ask, and the call itself says for whom.
  app.options('/v1/memberships::lookup', { schema: CORS, config: { open: true, audited: 'none' } }, async (request, reply) => {
    const { origin } = request.headers;
    if (origin !== undefined && offers.allows(origin, null)) share(reply, origin);
    return reply.code(204).send();
  });
  app.post(
    '/v1/memberships::lookup',
    { schema: SCHEMA, config: { idempotent: false, audited: 'none', limitedBeside: true } },
    async (request, reply) => {
      requireScope(request, 'memberships:read');
      const { identifiers, advertiser: asked } = request.body as {
        identifiers: { kind: IdentifierKind; value: string }[];
        advertiser?: string;
      };
      const { advertiser: bound } = request.principal;
      const advertiser = bound ?? asked;
      if (advertiser === undefined || (bound !== null && asked !== undefined && asked !== bound))
        throw new Problem(422, 'unknown_advertiser', 'The call names no advertiser that its key may ask for');
      const { origin } = request.headers;
      if (origin !== undefined) {
        if (!offers.allows(origin, advertiser))
          throw new Problem(403, 'forbidden', `Pages of ${origin.slice(0, 200)} may not ask`);
        share(reply, origin);
      }
      const [found] = await Promise.all([lookup.of(advertiser, identifiers), request.limit]);
      for (const told of found) uses.note(advertiser, told);
      return { segments: found.map(({ code }) => code) };
    },
  );
}

function share(reply: FastifyReply, origin: string): void {
  reply.headers({
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'authorization, content-type',
    'access-control-max-age': PREFLIGHT_S,
    vary: 'origin',
  });
}
