import type { Level } from '../../dmp/identity/kinds.ts';
import type { Bodies, Leaf, LeafName } from '../../dmp/segments/nodes/plan-of.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { actions } from './segments/oracle/actions.ts';
import { home, near, work } from './segments/oracle/area.ts';
import { attribute } from './segments/oracle/attribute.ts';
import { exposures } from './segments/oracle/exposures.ts';
import type { Oracle, Unit } from './segments/oracle/leaf.ts';
import { pages } from './segments/oracle/pages.ts';
import { holdout, identifiers, list, lookalike, sample } from './segments/oracle/people.ts';
import { purchases } from './segments/oracle/purchases.ts';
import { redemptions } from './segments/oracle/redemptions.ts';
import { rfm } from './segments/oracle/rfm.ts';
import { rhythm } from './segments/oracle/rhythm.ts';
import { segment } from './segments/oracle/segment.ts';
import { sequence } from './segments/oracle/sequence.ts';
import { share } from './segments/oracle/share.ts';
import { showrooming } from './segments/oracle/showrooming.ts';
import { trend } from './segments/oracle/trend.ts';
import { visits } from './segments/oracle/visits.ts';
import { type Fact, int, pick, type Random, unitKey, type World } from './segments-world.ts';

/** A new kind of leaf is a file and a line here. */
const ORACLES: { readonly [K in LeafName]: Oracle<Bodies[K]> } = {
  purchases,
  visits,
  redemptions,
  pages,
  actions,
  exposures,
  attribute,
  sequence,
  rfm,
  share,
  trend,
  showrooming,
  rhythm,
  near,
  home,
  work,
  identifiers,
  sample,
  holdout,
  lookalike,
  list,
  segment,
};

/** What a rule means, said slowly: for each unit, look at every fact. */
export function membersOf(rule: Rule, world: World, level: Level = 'person', confidence = 0): number[] {
  const units = unitsOf(world, level, confidence).filter((unit) => holds(rule, unit));
  return [
    ...new Set(units.flatMap(({ facts }) => facts.filter(({ kind }) => kind === 'person').map(({ profile }) => profile))),
  ].sort((a, b) => a - b);
}

/** Facts that name no device are no device's. */
export function unitsOf(world: World, level: Level, confidence = 0): Unit[] {
  const keyOf = (fact: Fact): string => unitKey(fact, level, confidence);
  const isSure = (fact: Fact): boolean => (level === 'device' ? fact.device_sure : fact.person_sure) >= 100 * confidence;
  const isThere = (fact: Fact): boolean => level !== 'device' || (fact.device !== 0 && isSure(fact));
  const counting = world.facts.filter(
    (fact) =>
      fact.kind === 'person' || (isSure(fact) && ![fact.source, ...fact.sources].some((one) => world.withheld.includes(one))),
  );
  const ids = [...new Set(world.facts.filter(isThere).map(keyOf))];
  const everybody: Unit[] = [];
  for (const key of ids) {
    const facts = counting.filter((fact) => isThere(fact) && keyOf(fact) === key);
    everybody.push({ id: Number(key.split(' ')[1]), level, world, confidence, everybody, facts });
  }
  return everybody;
}

export function holds(rule: Rule, unit: Unit): boolean {
  if ('all' in rule) return rule.all.every((part) => holds(part, unit));
  if ('any' in rule) return rule.any.some((part) => holds(part, unit));
  if ('not' in rule) return !holds(rule.not, unit);
  const [name, body] = Object.entries(rule)[0] as [LeafName, never];
  return ORACLES[name].holds(body, unit);
}

export const KINDS = Object.keys(ORACLES) as LeafName[];
const DRAWN = KINDS.flatMap((name) => Array<LeafName>(ORACLES[name].weight ?? 1).fill(name));

export function randomLeaf(random: Random, name: LeafName = pick(random, DRAWN)): Leaf {
  return { [name]: ORACLES[name].random(random) } as Leaf;
}

export function randomRule(random: Random, depth = 0): Rule {
  const roll = depth >= 3 ? 1 : random();
  const parts = (): Rule[] => Array.from({ length: int(random, 1, 3) }, () => randomRule(random, depth + 1));
  if (roll < 0.12) return { all: parts() };
  if (roll < 0.24) return { any: parts() };
  return roll < 0.34 ? { not: randomRule(random, depth + 1) } : randomLeaf(random);
}
