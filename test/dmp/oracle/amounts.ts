import type { Event } from '../../../dmp/segments/events.ts';
import type { Share } from '../../../dmp/segments/nodes/share.ts';
import type { Trend } from '../../../dmp/segments/nodes/trend.ts';
import { DAY, inWindow, isEvent, lies, type OracleWorld, type PlainFact, utcDay } from './fact.ts';

function amount(by: Share['by'], of: Event, facts: readonly PlainFact[]): number {
  const what = by ?? (of.bought === undefined ? 'times' : 'money');
  if (what === 'money') return facts.reduce((sum, fact) => sum + fact.amount, 0);
  return new Set(facts.map((fact) => (what === 'days' ? utcDay(fact.at) : fact.once))).size;
}

export function shareHolds(body: Share, facts: readonly PlainFact[], world: OracleWorld): boolean {
  const [kind = 'bought'] = Object.keys(body.of);
  const whole = facts.filter(
    (fact) => inWindow(fact.at, body.window, world.now) && isEvent(fact, body.among ?? { [kind]: {} }, world),
  );
  const all = amount(body.by, body.of, whole);
  const part = amount(
    body.by,
    body.of,
    whole.filter((fact) => isEvent(fact, body.of, world)),
  );
  if (all <= 0 || all < (body.least ?? 0)) return false;
  return lies(part / all, body.share);
}

export function trendHolds(body: Trend, facts: readonly PlainFact[], world: OracleWorld): boolean {
  const { days, ago = days } = body;
  const between = (from: number, to: number): number =>
    amount(
      body.by,
      body.of,
      facts.filter(
        (fact) => isEvent(fact, body.of, world) && fact.at > world.now - from * DAY && fact.at <= world.now - to * DAY,
      ),
    );
  const now = between(days, 0);
  const before = between(ago + days, ago);
  if (body.difference !== undefined && !lies(now - before, body.difference)) return false;
  if (body.ratio === undefined) return true;
  if (before === 0) return now > 0 && lies(Number.POSITIVE_INFINITY, body.ratio);
  return before > 0 && lies(now / before, body.ratio);
}
