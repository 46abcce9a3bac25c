import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { Id, oneOf } from '../http/schema.ts';
import { maySee, requireScope } from '../keys/auth.ts';
import { type Fault, invalid, notFound, Problem } from '../problem.ts';
import type { Thing } from '../things/things.ts';
import { scopeOf } from './advertiser-scope.ts';
import { Binder } from './binder.ts';
import { groupDetails, Metres } from './estimate-routes.ts';
import { compare, DIMENSIONS, history, insight } from './insight.ts';
import { rounded } from './minimum.ts';
import { MEMBERS, overlap, type Versions, venn, versionsOf } from './overlap.ts';
import type { RuleScope } from './scope.ts';
import type { Segment } from './segment.ts';
import { CellsView, json, People, Range, ReachView, Share, StoresView } from './told-schemas.ts';

const tags = ['segments'];
const params = Type.Object({ id: Type.String({ maxLength: 200 }) });
const quiet = { idempotent: false, audited: 'none' } as const;
const closed = { additionalProperties: false } as const;
const DAY_MS = 86_400_000;

/** Reach, overlap, insight and comparison of stored segments, by the members that their last runs left. */
export function registerInsightRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerReach(app, deps);
  registerOverlap(app, deps);
  registerVenn(app, deps);
  registerInsight(app, deps);
  registerCompare(app, deps);
}

const ReachQuery = Type.Object({ metres: Metres }, closed);

function registerReach(app: FastifyInstance, deps: DmpDeps): void {
  const schema = {
    tags,
    operationId: 'getSegmentReach',
    summary: 'Where the members of a segment can be met: by kind of identifier, exchange, store and place',
    params,
    querystring: ReachQuery,
    response: { ...json(Type.Object({ ...ReachView.properties, stores: StoresView, cells: CellsView })), ...PROBLEM_RESPONSES },
  };
  app.get<{ Querystring: Static<typeof ReachQuery> }>('/v1/segments/:id/reach', { schema }, async (request) => {
    requireScope(request, 'segments:read');
    const segment = find(deps, request);
    const versions = await evaluated(deps, [segment.id]);
    const bound = new Binder();
    Object.assign(bound.values, { segments: versions.segments, versions: versions.versions });
    const people = `SELECT arrayJoin(bitmapToArray(members)) AS profile FROM (${MEMBERS})`;
    const advertiser = viewerOf(request, segment);
    const { reach, ...more } = (await groupDetails(
      deps,
      { ...scopeOf(deps.things, advertiser, deps.now()), ...surenessOf(segment) },
      advertiser,
      ['reach', 'stores', 'cells'],
      request.query.metres,
      { people, bound, range: '', scale: 1 },
    )) as { reach: object };
    return { ...reach, ...more };
  });
}

const Several = (most: number) =>
  Type.Object({ segments: Type.Array(Id('a segment'), { minItems: 2, maxItems: most, uniqueItems: true }) }, closed);
const OverlapBody = Several(50);
const VennBody = Several(3);

const Evaluated = Type.Object({ id: Type.String(), version: Type.Integer(), people: People });

function registerOverlap(app: FastifyInstance, deps: DmpDeps): void {
  const view = Type.Object({
    segments: Type.Array(Evaluated),
    matrix: Type.Array(Type.Array(People), {
      description: 'people in both of two segments, in the order of `segments`; sizes in the diagonal',
    }),
    seconds: Type.Number(),
  });
  const schema = {
    tags,
    operationId: 'overlapSegments',
    summary: 'How many people each two of up to 50 segments have in common',
    body: OverlapBody,
    response: { ...json(view), ...PROBLEM_RESPONSES },
  };
  app.post<{ Body: Static<typeof OverlapBody> }>('/v1/segments::overlap', { schema, config: quiet }, async (request) => {
    requireScope(request, 'segments:read');
    const began = performance.now();
    const { segments } = request.body;
    expectVisible(deps, request, segments, (at) => `/segments/${at}`);
    const versions = await evaluated(deps, segments);
    const matrix = (await overlap(deps.warehouse, versions)).map((row) => row.map(rounded));
    const told = segments.map((id, at) => ({ id, version: versions.versions[at] as number, people: matrix[at]?.[at] ?? null }));
    return { segments: told, matrix, seconds: (performance.now() - began) / 1000 };
  });
}

function registerVenn(app: FastifyInstance, deps: DmpDeps): void {
  const schema = {
    tags,
    operationId: 'vennSegments',
    summary: 'The parts into which two or three segments cut each other',
    body: VennBody,
    response: {
      ...json(Type.Object({ regions: Type.Array(Type.Object({ in: Type.Array(Type.String()), people: People })) })),
      ...PROBLEM_RESPONSES,
    },
  };
  app.post<{ Body: Static<typeof VennBody> }>('/v1/segments::venn', { schema, config: quiet }, async (request) => {
    requireScope(request, 'segments:read');
    const { segments } = request.body;
    expectVisible(deps, request, segments, (at) => `/segments/${at}`);
    return { regions: await venn(deps.warehouse, await evaluated(deps, segments)) };
  });
}

const Limit = Type.Integer({ minimum: 1, maximum: 200, default: 20 });
const Days = Type.Integer({ minimum: 1, maximum: 396, default: 30, description: 'days of the history' });
const InsightQuery = Type.Object({ by: Type.Optional(oneOf(DIMENSIONS)), limit: Limit, days: Days }, closed);
const TRAIT = { dimension: oneOf(DIMENSIONS), name: Type.String(), value: Type.String() };
const Method = Type.Unsafe<string>({ type: 'string', enum: ['exact', 'sample'] });

function registerInsight(app: FastifyInstance, deps: DmpDeps): void {
  const view = Type.Object({
    version: Type.Integer(),
    people: People,
    base: People,
    method: Method,
    traits: Type.Array(
      Type.Object({
        ...TRAIT,
        people: People,
        base: People,
        share: Share,
        baseShare: Share,
        index: Type.Integer(),
        significant: Type.Boolean(),
      }),
    ),
    history: Type.Array(Type.Object({ day: Type.String(), members: People, entered: People, left: People })),
  });
  const schema = {
    tags,
    operationId: 'getSegmentInsight',
    summary: 'What is more or less frequent among the members of a segment than among everybody, and who came and went',
    description:
      'The base is everybody of whom some fact is known that the advertiser may use. Traits that fewer than ten members have are not told.',
    params,
    querystring: InsightQuery,
    response: { ...json(view), ...PROBLEM_RESPONSES },
  };
  app.get<{ Querystring: Static<typeof InsightQuery> }>('/v1/segments/:id/insight', { schema }, async (request) => {
    requireScope(request, 'segments:read');
    const segment = find(deps, request);
    const { by, limit, days } = request.query;
    const versions = await evaluated(deps, [segment.id]);
    const scope = { ...scopeOf(deps.things, viewerOf(request, segment), deps.now()), ...surenessOf(segment) };
    const told = await insight(deps.warehouse, versions, scope, by === undefined ? DIMENSIONS : [by], limit);
    const past = await history(deps.warehouse, segment.id, deps.now() - days * DAY_MS);
    return { version: versions.versions[0], ...told, history: past };
  });
}

const CompareBody = Type.Object(
  {
    a: Id('a segment'),
    b: Id('another one'),
    by: Type.Optional(Type.Array(oneOf(DIMENSIONS), { minItems: 1, uniqueItems: true })),
    limit: Limit,
  },
  closed,
);

function registerCompare(app: FastifyInstance, deps: DmpDeps): void {
  const view = Type.Object({
    a: Type.Object({ id: Type.String(), people: People }),
    b: Type.Object({ id: Type.String(), people: People }),
    method: Method,
    differences: Type.Array(
      Type.Object({ ...TRAIT, a: People, b: People, logOdds: Type.Number(), interval: Range, score: Type.Number() }),
    ),
  });
  const schema = {
    tags,
    operationId: 'compareSegments',
    summary: 'What distinguishes the people of one segment from those of another',
    description:
      'Of people who are in one of the two only: log odds ratios, shrunk by a prior of 100 people of the average kind, ranked by standard errors from none.',
    body: CompareBody,
    response: { ...json(view), ...PROBLEM_RESPONSES },
  };
  app.post<{ Body: Static<typeof CompareBody> }>('/v1/segments::compare', { schema, config: quiet }, async (request) => {
    requireScope(request, 'segments:read');
    const { a, b, by, limit } = request.body;
    const [first, second] = expectVisible(deps, request, [a, b], (at) => (at === 0 ? '/a' : '/b'));
    const sure = surenessOf(first as Thing<Segment>, second as Thing<Segment>);
    const scope = { ...scopeOf(deps.things, viewerOf(request, first as Thing<Segment>), deps.now()), ...sure };
    const told = await compare(deps.warehouse, await evaluated(deps, [a, b]), scope, by ?? DIMENSIONS, limit);
    return { ...told, a: { id: a, people: told.a }, b: { id: b, people: told.b } };
  });
}

/** For whom it is told: facts of sources that this advertiser may use. */
function viewerOf(request: FastifyRequest, segment: Thing<Segment>): string | null {
  return request.principal.advertiser ?? segment.body.advertiser;
}

/** What is not surely of the members is not told of them: of two segments the one that asks for more decides. */
function surenessOf(...segments: readonly Thing<Segment>[]): Pick<RuleScope, 'confidence'> {
  return { confidence: Math.max(...segments.map(({ body }) => body.confidence ?? 0)) };
}

async function evaluated({ warehouse }: DmpDeps, segments: readonly string[]): Promise<Versions> {
  const versions = await versionsOf(warehouse, segments);
  const { never } = versions;
  if (never.length > 0)
    throw new Problem(409, 'conflict', 'The segment was not evaluated yet', { detail: `${never.join(', ')}: evaluate it first` });
  return versions;
}

function find(deps: DmpDeps, request: FastifyRequest): Thing<Segment> {
  const segment = deps.things.get('segment', (request.params as { id: string }).id);
  if (segment === undefined || !maySee(request.principal, segment.body.advertiser)) throw notFound('segment');
  return segment;
}

function expectVisible(
  { things }: DmpDeps,
  { principal }: FastifyRequest,
  ids: readonly string[],
  pointerOf: (at: number) => string,
): Thing<Segment>[] {
  const found = ids.map((id) => things.get('segment', id));
  const faults = found.flatMap((segment, at): Fault[] =>
    segment !== undefined && maySee(principal, segment.body.advertiser)
      ? []
      : [{ pointer: pointerOf(at), code: 'unknown_segment', message: `there is no segment ${ids[at]}` }],
  );
  if (faults.length > 0) throw invalid(faults);
  return found as Thing<Segment>[];
}
