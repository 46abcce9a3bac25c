import type {} from '@fastify/swagger';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { DmpDeps } from '../deps.ts';
import { maySee, requireScope } from '../keys/auth.ts';
import { invalid, notFound } from '../problem.ts';
import { sourcesWithheld } from '../sources/access.ts';
import type { Scope } from './attribution.ts';
import { type Conversions, conversions, TooManyRows } from './conversions.ts';
import { conversionsCsv } from './csv.ts';
import { DEFINITIONS } from './definitions.ts';
import { DIMENSIONS, readConversionsQuery, windowFaults } from './query.ts';

type ReportDeps = Pick<DmpDeps, 'warehouse' | 'things' | 'now'>;

/** `GET /v1/reports/conversions`. */
export function registerReportsRoutes(app: FastifyInstance, deps: ReportDeps): void {
  app.get('/v1/reports/conversions', { schema: SCHEMA }, async (request, reply) => {
    requireScope(request, 'reports:read');
    const { scope, share } = scopeOf(request, deps);
    const report = await run(deps, scope, share);
    reply.header('cache-control', 'no-store');
    if (wantsCsv(request)) {
      const name = `conversions-${scope.query.campaign}.csv`;
      reply.type('text/csv; charset=utf-8').header('content-disposition', `attachment; filename="${name}"`);
      return conversionsCsv(scope.query.groupBy, report.rows, report.totals);
    }
    return answer(scope, report, deps.now());
  });
}

const SCHEMA = {
  summary: 'Visits and purchases attributed to a campaign, and the lift against its holdout',
  tags: ['reports'],
  description: `Query: campaign (required), from and to (RFC 3339, or a UTC day; default: start of the campaign and now), clickDays (30), viewDays (14), groupBy (of ${DIMENSIONS.join(', ')}; default campaign). text/csv gives the rows alone.`,
};

/** What is asked for, once it is known to be sound and the caller's to see. */
function scopeOf(request: FastifyRequest, { things, now }: ReportDeps): { scope: Scope; share: number | null } {
  const { query, faults } = readConversionsQuery(request.query as Record<string, unknown>);
  if (query === null) throw invalid(faults, 'The query is not valid');
  const campaign = things.get('campaign', query.campaign);
  if (campaign === undefined || !maySee(request.principal, campaign.body.advertiser)) throw notFound('such campaign');
  const { advertiser, holdout } = campaign.body;
  const from = query.from ?? Date.parse(campaign.body.start);
  const to = query.to ?? now();
  const windowFault = windowFaults(from, to);
  if (windowFault.length > 0) throw invalid(windowFault, 'The query is not valid');
  const scope: Scope = {
    query: { ...query, from, to },
    stores: things.list('store').flatMap((store) => (store.body.advertiser === advertiser ? [store.id] : [])),
    audience: ['', advertiser],
    withheld: sourcesWithheld(things, advertiser, 'measurement'),
    currency: things.get('advertiser', advertiser)?.body.currency ?? 'USD',
  };
  return { scope, share: holdout === null ? null : holdout.percent / 100 };
}

async function run({ warehouse, now }: ReportDeps, scope: Scope, share: number | null): Promise<Conversions> {
  try {
    return await conversions(warehouse, scope, share, now());
  } catch (error) {
    if (error instanceof TooManyRows) {
      const message = 'The report has too many rows: choose fewer dimensions or a shorter window';
      throw invalid([{ pointer: '?groupBy', code: 'too_many_rows', message }], 'The query is not valid');
    }
    throw error;
  }
}

function answer({ query }: Scope, { rows, totals, lift }: Conversions, now: number) {
  return {
    campaign: query.campaign,
    asOf: new Date(now).toISOString(),
    window: {
      from: new Date(query.from).toISOString(),
      to: new Date(query.to).toISOString(),
      clickDays: query.clickDays,
      viewDays: query.viewDays,
      interim: query.to > now,
    },
    groupBy: query.groupBy,
    rows,
    totals,
    lift,
    definitions: DEFINITIONS,
  };
}

/** Whether text/csv is asked for before JSON. */
function wantsCsv(request: FastifyRequest): boolean {
  const accepted = (request.headers.accept ?? '').split(',').map((part) => part.split(';')[0]?.trim().toLowerCase());
  const csv = accepted.indexOf('text/csv');
  const json = accepted.findIndex((type) => type === 'application/json' || type === '*/*');
  return csv !== -1 && (json === -1 || csv < json);
}
