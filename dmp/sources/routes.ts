import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import type { Noun } from '../http/noun.ts';
import { referenceFault } from '../http/references.ts';
import { registerResource } from '../http/resource.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { Id } from '../http/schema.ts';
import { requireScope } from '../keys/auth.ts';
import { invalid, notFound, Problem } from '../problem.ts';
import { RevisionConflict, type Thing } from '../things/things.ts';
import { isGranted, maySeeSource } from './access.ts';
import { checkSource } from './check-source.ts';
import { registerCostRoutes } from './cost-routes.ts';
import { countForLabel, rowsOf } from './count.ts';
import { labelOf } from './label.ts';
import { registerLineageRoutes } from './lineage-routes.ts';
import { momentOf, readPresence } from './presence.ts';
import { registerQualityRoutes } from './quality-routes.ts';
import { registerRetentionRoutes } from './retention-routes.ts';
import { type Source, SourceInput, termsOf } from './source.ts';
import { touchedBy } from './touch.ts';

const SOURCES: Noun<'source', SourceInput> = {
  kind: 'source',
  path: 'sources',
  title: 'source',
  prefix: 'src_',
  input: SourceInput,
  read: 'sources:read',
  write: 'sources:write',
  // What was brought under one holder's contract is not another's.
  immutable: ['advertiser'],
  advertiserOf: (source) => source.advertiser ?? null,
  visible: (source, { advertiser }) => maySeeSource(source, advertiser),
  check: checkSource,
  store: (input, { current, id }) => ({
    ...input,
    // Sources from before there were namespaces keep the keys that they have.
    namespace: input.namespace ?? current?.body.namespace ?? (current === undefined ? id : ''),
    revoked: current?.body.revoked ?? null,
  }),
  // Rows without a contract would count for everybody.
  holds: async ({ id }, { warehouse }) => {
    const rows = await rowsOf(warehouse, id);
    const message = `it holds ${rows} rows; revoke it with erase first`;
    return rows === 0 ? [] : [{ pointer: '', code: 'in_use', message }];
  },
  show: (source) => termsOf(source.body),
  shown: ['revoked'],
  // Who else may use it is the holder's business.
  shownTo: (view, { advertiser }) =>
    advertiser === null || view['advertiser'] === advertiser || view['advertisers'] === null
      ? view
      : { ...view, advertisers: [advertiser] },
};

/** /v1/sources, their labels, grants and revocations, and the lineage of segments and line items. */
export function registerSourcesRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, SOURCES);
  registerLabel(app, deps);
  registerGrant(app, deps);
  registerRevoke(app, deps);
  registerLineageRoutes(app, deps);
  registerCostRoutes(app, deps);
  registerRetentionRoutes(app, deps);
  registerQualityRoutes(app, deps);
}

const tags = ['sources'];
const params = Type.Object({ id: Type.String({ maxLength: 200 }) });
const ok = (description: string, schema: object) => ({
  200: { description, content: { 'application/json': { schema } } },
  ...PROBLEM_RESPONSES,
});

function registerLabel(app: FastifyInstance, deps: DmpDeps): void {
  const schema = {
    tags,
    operationId: 'getSourceLabel',
    summary: 'A source as the label of the IAB Data Transparency Standard',
    description: 'Members are named as the standard names its fields; N/A where the contract says nothing.',
    params,
    response: ok('The label', Type.Object({}, { additionalProperties: true })),
  };
  app.get('/v1/sources/:id/label', { schema }, async (request) => {
    requireScope(request, 'sources:read');
    const source = find(deps, request);
    return labelOf(source, await countForLabel(deps.warehouse, source.id));
  });
}

const Query = Type.Object(
  { validateOnly: Type.Optional(Type.Boolean({ description: 'say what it would touch, change nothing' })) },
  { additionalProperties: false },
);
const GrantBody = Type.Object(
  { advertiser: Type.Optional(Id('the advertiser that may use it; absent: the contract holds again')) },
  { additionalProperties: false },
);
const RevokeBody = Type.Object(
  {
    advertiser: Type.Optional(Id('the advertiser that may not use it any more; absent: the whole contract ends')),
    reason: Type.String({ maxLength: 500, default: '' }),
    erase: Type.Boolean({ default: false, description: 'of a whole contract: its rows are deleted by the next retention run' }),
  },
  { additionalProperties: false },
);

const TouchedView = Type.Object({
  source: Type.String(),
  advertiser: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
  segments: Type.Array(
    Type.Object({ id: Type.String(), name: Type.String(), advertiser: Type.Unsafe<string | null>({ type: ['string', 'null'] }) }),
  ),
  lineItems: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      campaign: Type.String(),
      advertiser: Type.String(),
      status: Type.String(),
    }),
  ),
  job: Type.Unsafe<string | null>({
    type: ['string', 'null'],
    description: 'the refresh after which the data is in no membership any more; null with validateOnly',
  }),
});

/** `::` is a colon to the router, which needs the pattern to see where the id ends. */
const ACTION = (name: string) => `/v1/sources/:id(^[a-zA-Z0-9_-]+)::${name}`;

function registerGrant(app: FastifyInstance, deps: DmpDeps): void {
  const schema = {
    tags,
    operationId: 'grantSource',
    summary: 'Let an advertiser use a source, or end a revocation',
    params,
    querystring: Query,
    body: GrantBody,
    response: ok('What it touches', TouchedView),
  };
  app.post(ACTION('grant'), { schema, config: { audited: 'thing' } }, async (request) => {
    const { advertiser } = request.body as { advertiser?: string };
    return changeAccess(deps, request, advertiser ?? null, (body) => {
      if (advertiser === undefined) {
        if (termsOf(body).revoked?.erase === true) throw new Problem(409, 'conflict', 'The rows of the source are being erased');
        return { ...body, revoked: null };
      }
      const { advertisers, advertiser: holder } = termsOf(body);
      if (isGranted(body, advertiser)) return body;
      return { ...body, advertisers: [...(advertisers ?? []), ...(holder === advertiser ? [] : [advertiser])] };
    });
  });
}

function registerRevoke(app: FastifyInstance, deps: DmpDeps): void {
  const schema = {
    tags,
    operationId: 'revokeSource',
    summary: 'End a source’s contract, or an advertiser’s access to it',
    description:
      'Says which segments and line items stand on it, and asks for the refresh after which its data is in no membership any more. A source that was everybody’s is from then on that of all the other advertisers, and in no shared segment.',
    params,
    querystring: Query,
    body: RevokeBody,
    response: ok('What it touches', TouchedView),
  };
  app.post(ACTION('revoke'), { schema, config: { audited: 'thing' } }, async (request) => {
    const { advertiser, reason, erase } = request.body as { advertiser?: string; reason: string; erase: boolean };
    return changeAccess(deps, request, advertiser ?? null, (body) => {
      if (advertiser === undefined) {
        const at = termsOf(body).revoked?.at ?? new Date(deps.now()).toISOString();
        return { ...body, revoked: { at, reason, actor: request.principal.id, erase } };
      }
      const { advertisers, advertiser: holder } = termsOf(body);
      if (holder === advertiser)
        throw new Problem(409, 'conflict', 'The advertiser holds the contract: revoke the source as a whole');
      const all = holder === null ? deps.things.list('advertiser').map(({ id }) => id) : [];
      return { ...body, advertisers: (advertisers ?? all).filter((id) => id !== advertiser) };
    });
  });
}

async function changeAccess(
  deps: DmpDeps,
  request: FastifyRequest,
  advertiser: string | null,
  next: (body: Source) => Source,
): Promise<object> {
  requireScope(request, 'sources:write');
  const source = find(deps, request);
  const { principal } = request;
  if (principal.advertiser !== null && source.body.advertiser !== principal.advertiser)
    throw new Problem(403, 'forbidden', 'Only who holds the contract can change who may use it');
  const faults = advertiser === null ? [] : referenceFault(deps.things, 'advertiser', advertiser, '/advertiser', null);
  if (faults.length > 0) throw invalid(faults);
  const body = next(source.body);
  const moment = momentOf(deps.things, await readPresence(deps.warehouse));
  const wasOpen = isGranted(source.body, null);
  const { segments, lineItems } = touchedBy(deps.things, moment, source.id, advertiser, wasOpen);
  let job: string | null = null;
  if ((request.query as { validateOnly?: boolean }).validateOnly !== true) {
    try {
      await deps.things.put('source', source.id, body, { actor: principal.id, expected: source.revision });
    } catch (error) {
      if (error instanceof RevisionConflict) throw new Problem(409, 'conflict', 'The source was changed meanwhile; try again');
      throw error;
    }
    job = (await deps.jobs.enqueue('refresh', {}, principal.id)).id;
  }
  return {
    source: source.id,
    advertiser,
    segments: segments.map(({ id, body }) => ({ id, name: body.name, advertiser: body.advertiser })),
    lineItems: lineItems.map(({ id, body, advertiser: owner }) => ({
      id,
      name: body.name,
      campaign: body.campaign,
      advertiser: owner,
      status: body.status,
    })),
    job,
  };
}

function find(deps: DmpDeps, request: FastifyRequest): Thing<Source> {
  const source = deps.things.get('source', (request.params as { id: string }).id);
  if (source === undefined || !maySeeSource(source, request.principal.advertiser)) throw notFound('source');
  return source;
}
