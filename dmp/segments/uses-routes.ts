import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { oneOf, Time } from '../http/schema.ts';
import { maySee, requireScope } from '../keys/auth.ts';
import { notFound } from '../problem.ts';
import { segmentsOf } from '../sources/lineage.ts';
import { GUARD_CODES, holdbackFor, readGuards, segmentsWanted, verdictFor } from './guards.ts';
import { countFor } from './minimum.ts';
import { readUses, USES } from './uses.ts';

const Reason = Type.Object({ segment: Type.String(), code: oneOf(GUARD_CODES), message: Type.String() });

const View = Type.Object({
  current: Type.Array(
    Type.Object({
      use: oneOf(['line-item', 'destination']),
      id: Type.String(),
      active: Type.Boolean(),
      leavesOut: Type.Boolean({ description: 'its members are left out, not picked' }),
      heldBack: Type.Array(Reason, { description: 'why it is not live or not sent; none: it is' }),
    }),
  ),
  data: Type.Array(
    Type.Object({
      at: Time,
      use: oneOf(USES),
      id: Type.String({ description: 'of the line item or destination' }),
      advertiser: Type.String(),
      version: Type.Integer({ description: '0: the members of any moment' }),
      people: Type.Unsafe<number | null>({
        type: ['integer', 'null'],
        description: 'sent, or times it was told that somebody is in it; to an advertiser to the nearest ten, null below ten',
      }),
      actor: Type.String(),
    }),
  ),
  page: Type.Object({ next: Type.Unsafe<string | null>({ type: ['string', 'null'] }), hasMore: Type.Boolean() }),
});

const SCHEMA = {
  tags: ['segments'],
  operationId: 'listSegmentUses',
  summary: 'Who uses a segment now, and every use of it, newest first',
  params: Type.Object({ id: Type.String({ maxLength: 200 }) }),
  querystring: Type.Object(
    {
      limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }),
      before: Type.Optional({ ...Time, description: '`page.next` of the page before' }),
    },
    { additionalProperties: false },
  ),
  response: { 200: { description: 'A page', content: { 'application/json': { schema: View } } }, ...PROBLEM_RESPONSES },
};

/** GET /v1/segments/{id}/uses: a key that is bound to an advertiser sees that advertiser's uses. */
export function registerSegmentUsesRoutes(app: FastifyInstance, { warehouse, things }: DmpDeps): void {
  app.get('/v1/segments/:id/uses', { schema: SCHEMA }, async (request) => {
    requireScope(request, 'segments:read');
    const { id } = request.params as { id: string };
    const segment = things.get('segment', id);
    if (segment === undefined || !maySee(request.principal, segment.body.advertiser)) throw notFound('segment');
    const { advertiser } = request.principal;
    const { limit, before } = request.query as { limit: number; before?: string };
    const asked = { limit: limit + 1, before: before === undefined ? null : Date.parse(before), advertiser };
    const rows = await readUses(warehouse, id, asked);
    const shown = rows.slice(0, limit);
    const hasMore = rows.length > limit;
    const guards = await readGuards(warehouse, things, [id]);
    const lineItems = things.list('line-item').flatMap((item) => {
      const owner = things.get('campaign', item.body.campaign)?.body.advertiser ?? null;
      if (!segmentsOf(item.body).includes(id) || (advertiser !== null && owner !== advertiser)) return [];
      const heldBack = holdbackFor(request.principal, item.body, guards).filter((reason) => reason.segment === id);
      const leavesOut = !segmentsWanted(item.body).includes(id);
      return [{ use: 'line-item', id: item.id, active: item.body.status === 'active', leavesOut, heldBack }];
    });
    const listing = things
      .list('destination')
      .filter(({ body }) => body.segments.some(({ segment: listed }) => listed === id))
      .filter(({ body }) => advertiser === null || body.advertiser === advertiser);
    const destinations = await Promise.all(
      listing.map(async ({ id: destination, body }) => {
        const sent = await readGuards(warehouse, things, [id], { purpose: 'personalised_ads', destination: body.kind });
        const { state, reasons } = verdictFor(request.principal, sent.of(id));
        const heldBack = state === 'refused' ? reasons : [];
        return { use: 'destination', id: destination, active: body.status === 'active', leavesOut: false, heldBack };
      }),
    );
    return {
      current: [...lineItems, ...destinations],
      data: shown.map(({ segment: _, ...use }) => ({ ...use, people: countFor(request.principal, use.people) })),
      page: { next: hasMore ? (shown.at(-1)?.at ?? null) : null, hasMore },
    };
  });
}
