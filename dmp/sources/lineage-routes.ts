import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { oneOf, Time } from '../http/schema.ts';
import { maySee, requireScope } from '../keys/auth.ts';
import { notFound } from '../problem.ts';
import { maySeeSource } from './access.ts';
import { momentAt, readHistory } from './history.ts';
import { familyOf, type Moment, type Standing, segmentsOf, standingOf } from './lineage.ts';
import { momentOf, readPresence } from './presence.ts';
import { SOURCE_KINDS, termsOf } from './source.ts';

const params = Type.Object({ id: Type.String({ maxLength: 200 }) });

const StandingView = Type.Object({
  source: Type.String(),
  name: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'null: a source without a contract' }),
  party: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
  kinds: Type.Array(oneOf(SOURCE_KINDS)),
  segments: Type.Array(Type.String(), { description: 'those whose rules look at its rows' }),
  used: Type.Boolean({ description: 'false: the rule names it, but its contract does not let it count' }),
  revoked: Type.Boolean(),
});

const answers = (view: object) => ({
  200: { description: 'It', content: { 'application/json': { schema: view } } },
  ...PROBLEM_RESPONSES,
});

/** On which sources a segment, and each bid of a line item, stands. */
export function registerLineageRoutes(app: FastifyInstance, deps: DmpDeps): void {
  const ofSegment = {
    tags: ['segments'],
    operationId: 'getSegmentLineage',
    summary: 'The sources that a segment stands on',
    params,
    response: answers(
      Type.Object({ segment: Type.String(), needs: Type.Array(Type.String()), sources: Type.Array(StandingView) }),
    ),
  };
  app.get('/v1/segments/:id/lineage', { schema: ofSegment }, async (request) => {
    requireScope(request, 'segments:read');
    const { id } = request.params as { id: string };
    const segment = deps.things.get('segment', id);
    if (segment === undefined || !maySee(request.principal, segment.body.advertiser)) throw notFound('segment');
    const moment = momentOf(deps.things, await readPresence(deps.warehouse));
    const needs = [...familyOf(moment, id).keys()].filter((other) => other !== id);
    return { segment: id, needs, sources: viewOf(deps, request, moment, standingOf(moment, [id])) };
  });

  const ofLineItem = {
    tags: ['line-items'],
    operationId: 'getLineItemLineage',
    summary: 'The sources that the bids of a line item stand on, now or at a time',
    params,
    querystring: Type.Object(
      { at: Type.Optional({ ...Time, description: 'as it was then, such as when a bid was made' }) },
      { additionalProperties: false },
    ),
    response: answers(
      Type.Object({
        lineItem: Type.String(),
        at: Time,
        segments: Type.Array(Type.String()),
        sources: Type.Array(StandingView),
      }),
    ),
  };
  app.get('/v1/line-items/:id/lineage', { schema: ofLineItem }, async (request) => {
    requireScope(request, 'campaigns:read');
    const { id } = request.params as { id: string };
    const now = deps.things.get('line-item', id);
    const owner = now === undefined ? undefined : deps.things.get('campaign', now.body.campaign)?.body.advertiser;
    if (owner === undefined || !maySee(request.principal, owner)) throw notFound('line item');
    const { at } = request.query as { at?: string };
    const presence = await readPresence(deps.warehouse);
    const time = at === undefined ? deps.now() : Date.parse(at);
    const moment =
      at === undefined ? momentOf(deps.things, presence) : momentAt(await readHistory(deps.warehouse), presence, time);
    const lineItem = moment.get('line-item', id);
    const segments = lineItem === undefined ? [] : segmentsOf(lineItem);
    return {
      lineItem: id,
      at: new Date(time).toISOString(),
      segments,
      sources: viewOf(deps, request, moment, standingOf(moment, segments)),
    };
  });
}

/** A source that the key may not know of is told without its name. */
function viewOf({ things }: DmpDeps, { principal }: FastifyRequest, moment: Moment, standings: readonly Standing[]): object[] {
  return standings.map((standing) => {
    const body = moment.get('source', standing.source);
    const thing = things.get('source', standing.source);
    const isKnown = thing === undefined || maySeeSource(thing, principal.advertiser);
    return {
      ...standing,
      name: isKnown ? (body?.name ?? null) : null,
      party: body?.party ?? null,
      revoked: body !== undefined && termsOf(body).revoked !== null,
    };
  });
}
