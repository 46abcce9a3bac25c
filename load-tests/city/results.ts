import type { FoundVisits } from './found-visits.ts';
import { type Counts, type Ledger, totalOf } from './ledger.ts';
import type { Report } from './report.ts';
import type { CityRun } from './run.ts';
import type { CitySettings } from './settings.ts';
import type { Truth } from './truth.ts';

/** What `demo.json` holds: enough to print the table again beside a fresh report. */
export interface CityResults {
  readonly done: boolean;
  readonly settings: CitySettings;
  readonly truth: Truth;
  readonly exchange: Omit<Ledger, 'shoppers'> & { readonly total: Counts };
  readonly visits: FoundVisits;
  readonly report: Report;
  /** Whether the exchange's counts and the report's are the same to the unit. */
  readonly equal: Readonly<Record<keyof Counts, boolean>>;
  /** Whether the truth lies inside the report's 95 % interval; null where the report gives none. */
  readonly inside: { readonly visitors: boolean | null; readonly revenue: boolean | null };
  readonly seconds: Readonly<Record<string, number>>;
}

export function resultsOf(run: CityRun): CityResults {
  const { shoppers: _, ...counts } = run.ledger;
  const total = totalOf(run.ledger);
  return {
    done: true,
    settings: run.city.settings,
    truth: run.truth,
    exchange: { ...counts, total },
    visits: run.visits,
    report: run.report,
    equal: equality(total, run.report),
    inside: insideOf(run.truth, run.report),
    seconds: run.seconds,
  };
}

export function equality(total: Counts, { totals }: Report): CityResults['equal'] {
  return {
    bids: total.bids === totals.bids,
    wins: total.wins === totals.wins,
    impressions: total.impressions === totals.exposures,
    clicks: total.clicks === totals.clicks,
    spendMicros: total.spendMicros === totals.spendMicros,
  };
}

export function insideOf(truth: Truth, { lift }: Report): CityResults['inside'] {
  const within = (value: number, interval: { lo: number; hi: number } | null | undefined): boolean | null =>
    interval == null ? null : interval.lo <= value && value <= interval.hi;
  return {
    visitors: within(truth.incrementalVisitors, lift.visitors?.incremental),
    revenue: within(truth.incrementalRevenueMicros, lift.revenue.incrementalMicros),
  };
}
