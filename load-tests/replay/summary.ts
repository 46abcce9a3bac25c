import type { Imported } from './imports.ts';
import type { NoBids } from './no-bids.ts';
import type { Answer } from './send.ts';

/** The last line of a replay. */
export interface Summary {
  /** Purchase lines that were taken in. */
  readonly rows: number;
  readonly quarantined: number;
  /** That the imports took. */
  readonly seconds: number;
  readonly imports: Readonly<Record<'products' | 'purchases' | 'redemptions', Imported>>;
  readonly segments: Readonly<Record<string, number>>;
  readonly requests: number;
  /** Requests that were answered with a bid. */
  readonly bids: number;
  readonly noBids: NoBids;
  readonly status: Readonly<Record<string, number>>;
  /** Milliseconds from sending a request to its whole answer. */
  readonly p50: number;
  readonly p99: number;
  /** Files of openrtb/invalid that were bid on. */
  readonly invalidBids: readonly string[];
}

export function statusCounts(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** The smallest time that at least `share` of the answers did not exceed, in ms to three digits after the point. */
export function percentile(answers: readonly Answer[], share: number): number {
  const times = answers.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
  const time = times[Math.max(0, Math.ceil(share * times.length) - 1)] ?? 0;
  return Math.round(time * 1000) / 1000;
}

/** The table that stands above the last line. */
export function table(summary: Summary): string {
  const lines: [string, string | number][] = [
    ['rows in', summary.rows],
    ['quarantined', summary.quarantined],
    ['seconds', summary.seconds],
    ...Object.entries(summary.segments).map(([name, size]): [string, number] => [`segment ${name}`, size]),
    ['requests', summary.requests],
    ['bids', summary.bids],
    ...Object.entries(summary.noBids).map(([reason, count]): [string, number] => [`no bid: ${reason}`, count]),
    ...Object.entries(summary.status).map(([code, count]): [string, number] => [`status ${code}`, count]),
    ['p50', `${summary.p50} ms`],
    ['p99', `${summary.p99} ms`],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}
