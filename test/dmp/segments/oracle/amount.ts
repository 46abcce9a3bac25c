import type { By } from '../../../../dmp/segments/amount.ts';
import type { Event } from '../../../../dmp/segments/events.ts';
import type { Fact, World } from '../../segments-world.ts';
import { different, moneyIn } from './leaf.ts';

export function amountOf(by: By | undefined, of: Event, facts: readonly Fact[], world: World): number {
  const what = by ?? (of.bought === undefined ? 'times' : 'money');
  if (what === 'days') return different(facts.map(({ day }) => day));
  if (what === 'times') return different(facts.map(({ once }) => once));
  return facts.reduce((sum, fact) => sum + (moneyIn(world.currency, fact, world) ?? 0), 0);
}
