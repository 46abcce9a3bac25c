import type { Warehouse } from '../clickhouse/warehouse.ts';
import { anyRefusal } from '../consents/state.ts';
import type { Charge } from '../sources/cost.ts';
import { dataCosts } from '../sources/cost-query.ts';
import { type AttributionRow, attributionStatement, ROW_LIMIT, type Scope } from './attribution.ts';
import { holdoutChanged } from './holdout.ts';
import { type Lift, liftOf } from './lift.ts';
import { armOf, type PopulationRow, populationStatement } from './population.ts';
import type { Dimension } from './query.ts';

/** A row by the chosen dimensions; the totals have none. */
export interface ConversionRow extends Partial<Record<Dimension, string>> {
  readonly bids: number;
  readonly wins: number;
  readonly exposures: number;
  readonly exposedPeople: number;
  readonly clicks: number;
  readonly visits: number;
  readonly visitors: number;
  readonly purchases: number;
  readonly revenueMicros: number;
  readonly spendMicros: number;
  readonly viewers: number;
  /** What the data that the line items stand on cost. */
  readonly dataMicros: number;
  /** Both. */
  readonly costMicros: number;
}

export interface Conversions {
  readonly rows: readonly ConversionRow[];
  readonly totals: ConversionRow;
  readonly lift: Lift;
}

/** Of one statement; a report that needs more is asked for a shorter window. */
const LIMITS = { seconds: 30, memoryBytes: 2 * 1024 ** 3 };

/** The report has more rows than an answer may have. */
export class TooManyRows extends Error {
  override readonly name = 'TooManyRows';
}

/** `share`: held out, 0…1; null where the campaign has no holdout. Throws TooManyRows. */
export async function conversions(warehouse: Warehouse, scope: Scope, share: number | null, now: number): Promise<Conversions> {
  const { campaign, from, to, groupBy } = scope.query;
  const unmeasured = await anyRefusal(warehouse, ['measurement', 'location']);
  const [found, population, { charges }] = await Promise.all([
    warehouse.query<AttributionRow>(attributionStatement(scope, unmeasured), LIMITS),
    warehouse.query<PopulationRow>(populationStatement(scope, unmeasured), LIMITS),
    dataCosts(warehouse, { from, to, advertiser: null, campaign }, now),
  ]);
  if (found.length > ROW_LIMIT + 1) throw new TooManyRows();
  const total = found.find((row) => row.total === 1);
  const data = dataBy(charges, groupBy);
  const totals =
    total === undefined
      ? NOTHING
      : measuresOf(
          total,
          [...data.values()].reduce((sum, micros) => sum + micros, 0),
        );
  const rows = found.filter((row) => row.total === 0).map((row) => rowOf(row, groupBy, data));
  const lift = liftOf({
    treated: armOf(population, false),
    control: armOf(population, true),
    expectedShare: share,
    holdoutChanged: await holdoutChanged(warehouse, scope.query.campaign, firstOf(population), scope.query.to),
    spendMicros: totals.costMicros,
  });
  return { rows, totals, lift };
}

/** The first decision of all, epoch ms, or null. */
function firstOf(population: readonly PopulationRow[]): number | null {
  const times = population.map((row) => Date.parse(`${row.first.replace(' ', 'T')}Z`));
  return times.length === 0 ? null : Math.min(...times);
}

const NOTHING: ConversionRow = {
  bids: 0,
  wins: 0,
  exposures: 0,
  exposedPeople: 0,
  clicks: 0,
  visits: 0,
  visitors: 0,
  purchases: 0,
  revenueMicros: 0,
  spendMicros: 0,
  viewers: 0,
  dataMicros: 0,
  costMicros: 0,
};

/** Cost of data by the values of the dimensions. */
function dataBy(charges: readonly Charge[], groupBy: readonly Dimension[]): Map<string, number> {
  const data = new Map<string, number>();
  for (const charge of charges) {
    const key = JSON.stringify(groupBy.map((dimension) => charge[dimension]));
    data.set(key, (data.get(key) ?? 0) + charge.micros);
  }
  return data;
}

function rowOf(row: AttributionRow, groupBy: readonly Dimension[], data: ReadonlyMap<string, number>): ConversionRow {
  const values = { campaign: row.campaign, lineItem: row.line_item, store: row.store, day: row.day };
  const dimensions = Object.fromEntries(groupBy.map((dimension) => [dimension, values[dimension] ?? '']));
  const key = JSON.stringify(groupBy.map((dimension) => values[dimension] ?? ''));
  return { ...dimensions, ...measuresOf(row, data.get(key) ?? 0) };
}

function measuresOf(row: AttributionRow, dataMicros: number): ConversionRow {
  return {
    ...{ dataMicros, costMicros: Number(row.spend) + dataMicros },
    bids: Number(row.bids),
    wins: Number(row.wins),
    exposures: Number(row.exposures),
    exposedPeople: Number(row.exposed_people),
    clicks: Number(row.clicks),
    visits: Number(row.visits),
    visitors: Number(row.visitors),
    purchases: Number(row.purchases),
    revenueMicros: Number(row.revenue),
    spendMicros: Number(row.spend),
    viewers: Number(row.viewers),
  };
}
