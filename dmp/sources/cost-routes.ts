import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { maySee, requireScope } from '../keys/auth.ts';
import { type Fault, invalid, notFound } from '../problem.ts';
import { readTime, windowFaults } from '../reports/query.ts';
import type { Charge } from './cost.ts';
import { dataCosts } from './cost-query.ts';
import { termsOf } from './source.ts';

const DIMENSIONS = ['source', 'segment', 'advertiser', 'campaign', 'lineItem', 'store', 'day'] as const;
type Dimension = (typeof DIMENSIONS)[number];

const Text = Type.Optional(Type.String({ maxLength: 200 }));
const Query = Type.Object(
  {
    from: Type.String({ maxLength: 64, description: 'RFC 3339 or a UTC day' }),
    to: Type.String({ maxLength: 64, description: 'RFC 3339, or a UTC day, which is included' }),
    advertiser: Text,
    campaign: Text,
    source: Text,
    segment: Text,
    groupBy: Type.String({ maxLength: 200, default: 'source', description: `of ${DIMENSIONS.join(', ')}, with commas` }),
  },
  { additionalProperties: false },
);
interface CostQuery {
  readonly from: string;
  readonly to: string;
  readonly advertiser?: string;
  readonly campaign?: string;
  readonly source?: string;
  readonly segment?: string;
  readonly groupBy: string;
}

const Measures = {
  impressions: Type.Integer({ description: 'that stood on the source or segment; one that stands on several counts for each' }),
  mediaMicros: Type.Integer({ description: 'media spend that stood on it' }),
  dataMicros: Type.Integer({ description: 'what the data cost' }),
};
const View = Type.Object({
  window: Type.Object({ from: Type.String(), to: Type.String() }),
  groupBy: Type.Array(Type.String()),
  rows: Type.Array(Type.Object(Measures, { additionalProperties: true })),
  totals: Type.Object({ dataMicros: Measures.dataMicros }),
  unallocated: Type.Array(Type.Object({ source: Type.String(), micros: Type.Integer() }), {
    description: 'flat prices of days on which no impression stood on the source; nobody’s, for keys of no advertiser',
  }),
});

/** GET /v1/reports/data-costs */
export function registerCostRoutes(app: FastifyInstance, deps: DmpDeps): void {
  const schema = {
    tags: ['reports'],
    operationId: 'reportDataCosts',
    summary: 'What data cost, by source, line item and day, as the contracts were',
    description: 'A charge is for a source, or for a segment that has a price of its own: the other of the two is empty.',
    querystring: Query,
    response: { 200: { description: 'It', content: { 'application/json': { schema: View } } }, ...PROBLEM_RESPONSES },
  };
  app.get('/v1/reports/data-costs', { schema }, async (request) => {
    requireScope(request, 'reports:read');
    const { window, groupBy, advertiser, campaign, source, segment } = readQuery(deps, request);
    const { charges, unallocated } = await dataCosts(deps.warehouse, { ...window, advertiser, campaign }, deps.now());
    const asked = charges.filter(
      (charge) => (source === null || charge.source === source) && (segment === null || charge.segment === segment),
    );
    const isWhole = request.principal.advertiser === null && advertiser === null && campaign === null && segment === null;
    return {
      window: { from: new Date(window.from).toISOString(), to: new Date(window.to).toISOString() },
      groupBy,
      rows: grouped(asked, groupBy).map((row) => (groupBy.includes('source') ? { ...row, ...nameOf(deps, row) } : row)),
      totals: { dataMicros: asked.reduce((sum, { micros }) => sum + micros, 0) },
      unallocated: isWhole
        ? [...unallocated].flatMap(([id, micros]) =>
            micros > 0 && (source === null || source === id) ? [{ source: id, micros }] : [],
          )
        : [],
    };
  });
}

function readQuery({ things }: DmpDeps, { query, principal }: FastifyRequest) {
  const asked = query as CostQuery;
  const faults: Fault[] = [];
  const time = (name: 'from' | 'to'): number => {
    const at = readTime(asked[name], name === 'to');
    if (at === null) faults.push({ pointer: `?${name}`, code: 'format', message: 'is not a date nor an RFC 3339 time' });
    return at ?? 0;
  };
  const window = { from: time('from'), to: time('to') };
  const groupBy = asked.groupBy.split(',');
  for (const name of groupBy)
    if (!DIMENSIONS.includes(name as Dimension))
      faults.push({ pointer: '?groupBy', code: 'enum', message: `takes ${DIMENSIONS.join(', ')}` });
  if (faults.length === 0) faults.push(...windowFaults(window.from, window.to));
  if (faults.length > 0) throw invalid(faults, 'The query is not valid');
  const { campaign = null } = asked;
  const owner = campaign === null ? null : (things.get('campaign', campaign)?.body.advertiser ?? null);
  if (campaign !== null && (owner === null || !maySee(principal, owner))) throw notFound('campaign');
  if (asked.advertiser !== undefined && !maySee(principal, asked.advertiser)) throw notFound('advertiser');
  const advertiser = principal.advertiser ?? asked.advertiser ?? null;
  return {
    window,
    groupBy: groupBy as Dimension[],
    advertiser,
    campaign,
    source: asked.source ?? null,
    segment: asked.segment ?? null,
  };
}

type Row = Partial<Record<Dimension, string>> & { impressions: number; mediaMicros: number; dataMicros: number };

function grouped(charges: readonly Charge[], groupBy: readonly Dimension[]): Row[] {
  const rows = new Map<string, Row>();
  for (const charge of charges) {
    const dimensions = Object.fromEntries(groupBy.map((name) => [name, charge[name]]));
    const key = JSON.stringify(dimensions);
    const row = rows.get(key) ?? { ...dimensions, impressions: 0, mediaMicros: 0, dataMicros: 0 };
    row.impressions += charge.impressions;
    row.mediaMicros += charge.media;
    row.dataMicros += charge.micros;
    rows.set(key, row);
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

function nameOf({ things }: DmpDeps, { source = '' }: Row): object {
  const body = things.get('source', source)?.body;
  return { name: body?.name ?? null, price: body === undefined ? null : termsOf(body).price };
}
