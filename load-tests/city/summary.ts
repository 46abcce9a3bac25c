import Table from 'cli-table3';
import { type Counts, noCounts } from './ledger.ts';
import type { Report, ReportRow } from './report.ts';
import type { CityResults } from './results.ts';

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const percent = (value: number): string => `${value >= 0 ? '+' : '−'}${(Math.abs(value) * 100).toFixed(1)} %`;
const dollars = (micros: number): string =>
  `$${(micros / 1_000_000).toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;

/** The table at the end of the demo: how ads became visits and purchases, and the measured lift beside the true one. */
export function summarize(results: CityResults, report: Report = results.report): string {
  return [funnel(results, report), lift(results, report), ...notes(results)].join('\n\n');
}

function funnel({ exchange }: CityResults, report: Report): string {
  const table = new Table({
    head: ['line item', 'requests', 'bids', 'wins', 'impressions', 'people', 'clicks', 'visits', 'purchases', 'revenue', 'spend'],
    colAligns: ['left', ...Array.from({ length: 10 }, () => 'right' as const)],
    style: { head: [], border: [] },
  });
  for (const row of report.rows) {
    const lineItem = row.lineItem ?? '';
    table.push(cells(lineItem, '', exchange.lineItems[lineItem] ?? noCounts(), row));
  }
  table.push(cells('total', whole.format(exchange.requests), exchange.total, report.totals));
  return table.toString();
}

/** What the exchange counted up to the wins, what Walkin reports from there on. */
function cells(name: string, requests: string, counts: Counts, row: ReportRow): string[] {
  const numbers = [counts.bids, counts.wins, row.exposures, row.exposedPeople, row.clicks, row.visits, row.purchases];
  return [name, requests, ...numbers.map((number) => whole.format(number)), dollars(row.revenueMicros), dollars(row.spendMicros)];
}

function lift({ truth, inside }: CityResults, report: Report): string {
  const table = new Table({
    head: ['because of the ads', 'truth', 'measured', '95 % interval', 'truth inside'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  const { visitors, revenue } = report.lift;
  if (visitors === null) table.push(['visitors', whole.format(truth.incrementalVisitors), report.lift.status, '', '']);
  else {
    const { incremental, relative } = visitors;
    const people = (value: number): string => whole.format(Math.round(value));
    table.push(
      row(
        'more visitors',
        people(truth.incrementalVisitors),
        people(incremental.point),
        [incremental.lo, incremental.hi].map(people),
        inside.visitors,
      ),
      row(
        'lift in visitors',
        percent(truth.relativeLift),
        percent(relative.point),
        [relative.lo, relative.hi].map(percent),
        relativeInside(truth.relativeLift, relative),
      ),
    );
  }
  const money = revenue.incrementalMicros;
  if (money !== undefined) {
    table.push(
      row(
        'more revenue',
        dollars(truth.incrementalRevenueMicros),
        dollars(money.point),
        [money.lo, money.hi].map(dollars),
        inside.revenue,
      ),
    );
  }
  return table.toString();
}

function relativeInside(truth: number, { lo, hi }: { lo: number; hi: number }): boolean {
  return lo <= truth && truth <= hi;
}

function row(name: string, truth: string, measured: string, [lo, hi]: string[], inside: boolean | null): string[] {
  return [name, truth, measured, `${lo} to ${hi}`, inside === null ? '' : inside ? 'yes' : 'no'];
}

function notes({ visits, equal, exchange, report, inside }: CityResults): string[] {
  const { treated, control } = report.lift.arms;
  const unequal = Object.entries(equal).filter(([, same]) => !same);
  return [
    [
      `People decided on: ${whole.format(treated.people)} treated, ${whole.format(control.people)} held out.`,
      `Store visits: ${whole.format(visits.real)} happened where a phone may be seen, ${whole.format(visits.found)} were found (recall ${share(visits.recall)}, precision ${share(visits.precision)}).`,
      unequal.length === 0
        ? "The exchange's books and the report agree to the unit: bids, wins, impressions, clicks, spend."
        : `The exchange's books and the report differ in: ${unequal.map(([name]) => name).join(', ')}.`,
      ...(exchange.unanswered + exchange.refused > 0
        ? [`Requests without an answer: ${exchange.unanswered}, refused: ${exchange.refused}.`]
        : []),
      ...(inside.visitors === false ? ['A 95 % interval misses the truth in one run of twenty; this is one.'] : []),
    ].join('\n'),
  ];
}

function share(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}
