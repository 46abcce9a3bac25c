import type { Api } from './api.ts';
import type { City } from './city.ts';
import type { Counts } from './ledger.ts';
import { campaignIds } from './plan.ts';
import { endOf } from './settings.ts';

export interface Interval {
  readonly point: number;
  readonly lo: number;
  readonly hi: number;
}

export interface ReportRow {
  readonly lineItem?: string;
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
}

/** Decided people of an arm, and what they did after their first decision. */
export interface ArmCounts {
  readonly people: number;
  readonly visitors: number;
  readonly revenueMicros: number;
}

interface ReportArm extends ArmCounts {
  readonly exposed: number;
  readonly buyers: number;
}

export interface Report {
  readonly rows: readonly ReportRow[];
  readonly totals: ReportRow;
  readonly lift: {
    readonly status: string;
    readonly arms: { readonly treated: ReportArm; readonly control: ReportArm };
    readonly visitors: { readonly relative: Interval; readonly incremental: Interval } | null;
    readonly revenue: { readonly status: string; readonly relative?: Interval | null; readonly incrementalMicros?: Interval };
    readonly sentence: string;
    readonly warnings: readonly string[];
  };
}

/** Walkin's own report of the days with ads, by line item. */
export function readReport(api: Api, { settings }: Pick<City, 'settings'>): Promise<Report> {
  const query = new URLSearchParams({
    campaign: campaignIds(settings.attempt).campaign,
    from: new Date(settings.start).toISOString(),
    to: new Date(endOf(settings)).toISOString(),
    clickDays: '30',
    viewDays: '14',
    groupBy: 'lineItem',
  });
  return api.get<Report>(`/v1/reports/conversions?${query}`);
}

const PATIENCE = 30_000;

/** Waits until the stream of ad events has reached the warehouse: until the report holds what was acknowledged, or time is up. */
export async function whenBooked(api: Api, city: Pick<City, 'settings'>, counts: Counts): Promise<Report> {
  const giveUp = performance.now() + PATIENCE;
  for (;;) {
    const report = await readReport(api, city);
    const { totals } = report;
    const booked =
      totals.exposures >= counts.impressions && totals.clicks >= counts.clicks && totals.spendMicros >= counts.spendMicros;
    if (booked || performance.now() > giveUp) return report;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
