import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import type { Noun } from '../http/noun.ts';
import { referenceFault } from '../http/references.ts';
import { registerResource } from '../http/resource.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { answerJob } from '../jobs/view.ts';
import { maySee, type Principal, requireScope } from '../keys/auth.ts';
import { notFound } from '../problem.ts';
import { PUBLICATION_MEMBERS, shownPublication } from '../publication/shown.ts';
import type { Thing } from '../things/things.ts';
import { checkRule } from './check.ts';
import { termsFaults, verdictFor, verdictOf } from './guards.ts';
import { countFor, MINIMUM } from './minimum.ts';
import { nextNumber } from './number.ts';
import { lastRound } from './rounds.ts';
import { listRuns, type Run } from './runs.ts';
import { type Segment, SegmentInput } from './segment.ts';
import { segmentSentence } from './sentence.ts';
import { createRunLookup, STATUS_MEMBERS, statusOf } from './status.ts';
import { warningsOf } from './warnings.ts';

/** /v1/segments, /v1/segments/{id}/evaluate, /v1/segments/{id}/runs */
export function registerSegmentsRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, segmentsOf(deps));
  registerEvaluate(app, deps);
  registerRuns(app, deps);
}

function segmentsOf(deps: DmpDeps): Noun<'segment', SegmentInput> {
  const lastRun = createRunLookup(deps.warehouse);
  const ruleFaults = ({ rule, advertiser }: SegmentInput, self: string) =>
    checkRule(rule, { things: deps.things, advertiser, self });
  return {
    kind: 'segment',
    path: 'segments',
    title: 'segment',
    prefix: 'seg_',
    input: SegmentInput,
    read: 'segments:read',
    write: 'segments:write',
    // Those who refer to it could see what they must not see any more.
    immutable: ['advertiser'],
    filters: ['advertiser'],
    advertiserOf: (segment) => segment.advertiser,
    check: (input, context) => [
      ...termsFaults(input, context),
      ...(input.advertiser === null ? [] : referenceFault(deps.things, 'advertiser', input.advertiser, '/advertiser', null)),
      ...ruleFaults(input, context.id),
    ],
    // Two that each name the other would both pass alone.
    still: (input, { id }) => ruleFaults(input, id),
    store: async (input, { current }) => ({ ...input, number: current?.body.number ?? (await nextNumber(deps)) }),
    show: async (segment, _, principal) => {
      const run = await lastRun(segment.id);
      const { rule, advertiser } = segment.body;
      return {
        ...statusOf(segment, run, await lastRound(deps.redis), principal),
        ...(await shownPublication(deps.redis, segment)),
        usable: verdictFor(principal, verdictOf(deps.things, run, segment.id)),
        sentence: { en: segmentSentence(segment.body, 'en'), ru: segmentSentence(segment.body, 'ru') },
        warnings: warningsOf(rule, { things: deps.things, advertiser }),
      };
    },
    shown: [...STATUS_MEMBERS, ...PUBLICATION_MEMBERS, 'usable', 'sentence', 'warnings'],
  };
}

const tags = ['segments'];
const params = Type.Object({ id: Type.String({ maxLength: 200 }) });
const NullableInteger = Type.Unsafe<number | null>({ type: ['integer', 'null'] });

function registerEvaluate(app: FastifyInstance, deps: DmpDeps): void {
  const schema = { tags, operationId: 'evaluateSegment', summary: 'Evaluate a segment now and publish who changed', params };
  app.post('/v1/segments/:id/evaluate', { schema }, async (request, reply) => {
    requireScope(request, 'segments:write');
    const { id } = find(deps, request);
    return answerJob(reply, await deps.jobs.enqueue('evaluate', { segment: id }, request.principal.id));
  });
}

const RunView = Type.Object({
  version: Type.Integer(),
  revision: Type.Integer(),
  startedAt: Type.String({ format: 'date-time' }),
  seconds: Type.Number(),
  members: NullableInteger,
  entered: NullableInteger,
  left: NullableInteger,
  error: Type.Unsafe<string | null>({ type: ['string', 'null'], enum: ['timeout', 'memory', 'failed', null] }),
  mode: Type.Unsafe<string>({
    type: 'string',
    enum: ['full', 'incremental', 'audit', 'restored'],
    description:
      'of whom it was asked: everybody; who may have changed; everybody, to hold the runs before against it; or nobody: members of a version were put back',
  }),
  asked: Type.Unsafe<number | null>({ ...NullableInteger, description: 'people' }),
  rows: Type.Unsafe<number | null>({
    ...NullableInteger,
    description:
      'facts that were read, by a pass that may have answered other segments too; to an advertiser null of a few people',
  }),
  bytes: Type.Unsafe<number | null>({ ...NullableInteger, description: 'of them, before compression' }),
});

const RunsQuery = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }),
    before: Type.Optional(Type.String({ format: 'date-time', description: '`page.next` of the page before' })),
  },
  { additionalProperties: false },
);

const RunsView = Type.Object({
  data: Type.Array(RunView),
  page: Type.Object({ next: Type.Unsafe<string | null>({ type: ['string', 'null'] }), hasMore: Type.Boolean() }),
});

function registerRuns(app: FastifyInstance, deps: DmpDeps): void {
  const schema = {
    tags,
    operationId: 'listSegmentRuns',
    summary: 'List the evaluations of a segment, newest first',
    description: 'People are told to the nearest ten, null below ten, to a key of an advertiser.',
    params,
    querystring: RunsQuery,
    response: { 200: { description: 'A page', content: { 'application/json': { schema: RunsView } } }, ...PROBLEM_RESPONSES },
  };
  app.get('/v1/segments/:id/runs', { schema }, async (request) => {
    requireScope(request, 'segments:read');
    const { id } = find(deps, request);
    const { limit, before } = request.query as { limit: number; before?: string };
    const runs = await listRuns(deps.warehouse, id, limit + 1, before === undefined ? null : Date.parse(before));
    const shown = runs.slice(0, limit).map((run) => viewOf(run, request.principal));
    const hasMore = runs.length > limit;
    return { data: shown, page: { next: hasMore ? (shown.at(-1)?.startedAt ?? null) : null, hasMore } };
  });
}

function viewOf(run: Run, key: Principal) {
  const tell = (people: number): number | null => (run.error === '' ? countFor(key, people) : null);
  const isFew = key.advertiser !== null && run.asked < MINIMUM;
  return {
    version: run.version,
    revision: run.revision,
    startedAt: new Date(run.started).toISOString(),
    seconds: run.seconds,
    members: tell(run.members),
    entered: tell(run.entered),
    left: tell(run.left),
    error: run.error === '' ? null : run.error,
    mode: run.mode,
    asked: countFor(key, run.asked),
    rows: isFew ? null : run.rows,
    bytes: isFew ? null : run.bytes,
  };
}

function find(deps: DmpDeps, request: FastifyRequest): Thing<Segment> {
  const segment = deps.things.get('segment', (request.params as { id: string }).id);
  if (segment === undefined || !isVisible(request.principal, segment)) throw notFound('segment');
  return segment;
}

function isVisible(principal: Principal, segment: Thing<Segment>): boolean {
  return maySee(principal, segment.body.advertiser);
}
