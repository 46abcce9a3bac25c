import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { nullable, oneOf, Time } from '../http/schema.ts';
import { requireScope } from '../keys/auth.ts';
import { type Fault, invalid } from '../problem.ts';
import { alarmsNow } from './alarms.ts';
import { ALARM_CODES, quality, shifted } from './quality.ts';

const DAY_MS = 86_400_000;
const MOST_DAYS = 92;
const Day = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' });
const Count = Type.Integer();

const AlarmView = Type.Object({
  source: Type.String(),
  day: nullable(Day, { description: 'null: of the source as it is now' }),
  code: oneOf(ALARM_CODES as readonly [string, ...string[]]),
  measure: Type.String({ description: 'what drifted' }),
  value: nullable(Type.Number()),
  threshold: nullable(Type.Number()),
});

const View = Type.Object({
  asOf: Time,
  from: Day,
  to: Day,
  rows: Type.Array(
    Type.Object({
      source: Type.String(),
      day: Day,
      received: Count,
      stored: Count,
      byKind: Type.Object({}, { additionalProperties: Count }),
      duplicates: nullable(Count),
      late: Count,
      rejected: Count,
      rejectedBy: Type.Object({}, { additionalProperties: Count, description: 'by the code of the first fault' }),
      identifiers: Count,
      matchRate: nullable(Type.Number()),
      drift: Type.Object({}, { additionalProperties: nullable(Type.Number()), description: 'PSI by measure' }),
    }),
  ),
  freshness: Type.Array(
    Type.Object({
      source: Type.String(),
      arrived: Time,
      happened: Time,
      ageHours: Type.Number(),
      refreshHours: nullable(Count),
      stale: Type.Boolean(),
    }),
  ),
  alarms: Type.Array(AlarmView),
});

const Query = Type.Object(
  {
    from: Type.Optional({ ...Day, description: 'UTC day of arrival; default: the 7 days up to `to`' }),
    to: Type.Optional({ ...Day, description: 'included; default: today' }),
    source: Type.Optional(Type.String({ maxLength: 200 })),
  },
  { additionalProperties: false },
);

/** GET /v1/reports/quality, GET /v1/alarms */
export function registerQualityRoutes(app: FastifyInstance, deps: DmpDeps): void {
  const report = {
    tags: ['reports'],
    operationId: 'reportQuality',
    summary: 'Rows, refusals, duplicates, lateness, match rate and drift by source and day, with alarms',
    querystring: Query,
    response: { 200: { description: 'It', content: { 'application/json': { schema: View } } }, ...PROBLEM_RESPONSES },
  };
  app.get('/v1/reports/quality', { schema: report }, async (request) => {
    requireScope(request, 'reports:read');
    const now = deps.now();
    const query = request.query as { from?: string; to?: string; source?: string };
    const to = query.to ?? new Date(now).toISOString().slice(0, 10);
    const days = { from: query.from ?? (isDay(to) ? shifted(to, -6) : to), to };
    const faults = daysFaults(days);
    if (faults.length > 0) throw invalid(faults, 'The query is not valid');
    const found = await quality(deps.warehouse, deps.things, days, now);
    const isAsked = (row: { source: string }) =>
      (query.source === undefined || row.source === query.source) && maySeeQuality(deps, request, row.source);
    const time = (at: number) => new Date(at).toISOString();
    return {
      asOf: time(now),
      ...days,
      rows: found.days.filter(isAsked),
      freshness: found.freshness.filter(isAsked).map(({ arrived, happened, ...rest }) => ({
        ...rest,
        arrived: time(arrived),
        happened: time(happened),
        ageHours: Number(((now - arrived) / 3_600_000).toFixed(1)),
      })),
      alarms: found.alarms.filter(isAsked),
    };
  });

  const list = {
    tags: ['reports'],
    operationId: 'listAlarms',
    summary: 'What is wrong with sources now: alarms of today and yesterday',
    response: {
      200: {
        description: 'They',
        content: { 'application/json': { schema: Type.Object({ data: Type.Array(AlarmView) }) } },
      },
      ...PROBLEM_RESPONSES,
    },
  };
  app.get('/v1/alarms', { schema: list }, async (request) => {
    requireScope(request, 'reports:read');
    return { data: (await alarmsNow(deps)).filter(({ source }) => maySeeQuality(deps, request, source)) };
  });
}

/** A bound key sees what its advertiser holds: of shared sources the operator sees to the quality. */
function maySeeQuality({ things }: DmpDeps, { principal }: FastifyRequest, source: string): boolean {
  return principal.advertiser === null || things.get('source', source)?.body.advertiser === principal.advertiser;
}

function isDay(day: string): boolean {
  const at = Date.parse(`${day}T00:00:00Z`);
  // ClickHouse knows no day before 1900.
  return day >= '1900' && !Number.isNaN(at) && new Date(at).toISOString().startsWith(day);
}

function daysFaults({ from, to }: { from: string; to: string }): Fault[] {
  const faults = Object.entries({ from, to }).flatMap(([name, day]): Fault[] =>
    isDay(day) ? [] : [{ pointer: `?${name}`, code: 'format', message: 'is not a day of the calendar' }],
  );
  if (faults.length > 0) return faults;
  if (to < from) return [{ pointer: '?to', code: 'end_before_start', message: 'is before from' }];
  const days = (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
  return days > MOST_DAYS
    ? [{ pointer: '?to', code: 'window_too_long', message: `covers ${days} days, at most ${MOST_DAYS}` }]
    : [];
}
