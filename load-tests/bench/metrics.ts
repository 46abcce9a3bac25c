import { say } from './say.ts';

/** Sums of a counter by one label, out of Prometheus text. */
export function countsBy(text: string, name: string, label: string): Map<string, number> {
  const counts = new Map<string, number>();
  const line = new RegExp(`^${name}\\{[^}]*?${label}="([^"]*)"[^}]*\\} (\\S+)`, 'gm');
  for (const [, value = '', count] of text.matchAll(line)) counts.set(value, (counts.get(value) ?? 0) + Number(count));
  return counts;
}

/** A number without labels. */
export function numberOf(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? 0);
}

/** Why not was bid between two readings, and how long decisions and reads took. */
export function sayMetrics(before: string, after: string): void {
  const earlier = countsBy(before, 'walkin_no_bids_total', 'reason');
  const reasons = [...countsBy(after, 'walkin_no_bids_total', 'reason')]
    .map(([reason, count]): [string, number] => [reason, count - (earlier.get(reason) ?? 0)])
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1]);
  const all = reasons.reduce((sum, [, count]) => sum + count, 0);
  say(`No-bids: ${reasons.map(([reason, count]) => `${reason} ${((100 * count) / all).toFixed(1)} %`).join(', ')}`);
  const mean = (name: string): string => {
    const count = numberOf(after, `${name}_count`) - numberOf(before, `${name}_count`);
    const sum = numberOf(after, `${name}_sum`) - numberOf(before, `${name}_sum`);
    return `${((1e6 * sum) / Math.max(1, count)).toFixed(0)} µs`;
  };
  say(`Means: a decision ${mean('walkin_decision_seconds')}, a batch of profiles ${mean('walkin_profile_read_seconds')}`);
}
