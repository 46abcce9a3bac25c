import type { Rfm } from '../../../dmp/segments/nodes/rfm.ts';
import type { Rhythm } from '../../../dmp/segments/nodes/rhythm.ts';
import { inWindow, isEvent, lies, type OracleWorld, type PlainFact, utcDay } from './fact.ts';

/** @param units the facts of each unit */
export function rfmHolds(body: Rfm, unit: number, units: ReadonlyMap<number, readonly PlainFact[]>, world: OracleWorld): boolean {
  const { groups = 5, bought = {} } = body;
  const buyers = new Map<number, readonly [newest: number, receipts: number, money: number]>();
  for (const [id, facts] of units) {
    const lines = facts.filter((fact) => isEvent(fact, { bought }, world) && inWindow(fact.at, body.window, world.now));
    if (lines.length === 0) continue;
    const newest = Math.max(...lines.map((line) => line.at));
    const receipts = new Set(lines.map((line) => line.once)).size;
    buyers.set(id, [newest, receipts, lines.reduce((sum, line) => sum + line.amount, 0)]);
  }
  const own = buyers.get(unit);
  if (own === undefined) return false;
  const scores = own.map((value, n) => {
    const sorted = [...buyers.values()].map((values) => values[n] as number).sort((a, b) => a - b);
    // Each group begins at the person of this place in the order.
    const starts = Array.from({ length: groups - 1 }, (_, k) => sorted[Math.floor(((k + 1) / groups) * sorted.length)] as number);
    return 1 + starts.filter((start) => value >= start).length;
  }) as [number, number, number];
  const fits = (name: 'recency' | 'frequency' | 'monetary' | 'total', score: number): boolean =>
    body[name] === undefined || lies(score, body[name]);
  return (
    fits('recency', scores[0]) &&
    fits('frequency', scores[1]) &&
    fits('monetary', scores[2]) &&
    fits('total', scores[0] + scores[1] + scores[2])
  );
}

export function rhythmHolds(body: Rhythm, facts: readonly PlainFact[], world: OracleWorld): boolean {
  const { bought = {}, by = 'median', least = 3 } = body;
  const lines = facts.filter((fact) => fact.at <= world.now && isEvent(fact, { bought }, world));
  const days = [...new Set(lines.map((line) => utcDay(line.at)))].sort((a, b) => a - b);
  if (days.length < least) return false;
  const gaps = days.slice(1).map((day, n) => day - (days[n] as number));
  const sorted = [...gaps].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const median = Number.isInteger(half)
    ? ((sorted[half - 1] as number) + (sorted[half] as number)) / 2
    : (sorted[Math.floor(half)] as number);
  const usual = by === 'mean' ? gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length : median;
  const since = utcDay(world.now) - (days.at(-1) as number);
  return (
    (body.gap === undefined || lies(usual, body.gap)) &&
    (body.overdue === undefined || lies(since / usual, body.overdue)) &&
    (body.due === undefined || lies(usual - since, body.due))
  );
}
