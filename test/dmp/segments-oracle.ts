import type { Level } from '../../dmp/identity/kinds.ts';
import type { Bounds, HourSpan, Near, Weekday, Window } from '../../dmp/segments/members.ts';
import type { Bodies, Leaf, LeafName } from '../../dmp/segments/nodes/plan-of.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { actions } from './segments/oracle/actions.ts';
import { home, near, work } from './segments/oracle/area.ts';
import { attribute } from './segments/oracle/attribute.ts';
import { exposures } from './segments/oracle/exposures.ts';
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
import { type Fact, int, pick, type Random, storesNear, type World } from './segments-world.ts';

/** What a kind of leaf means, said slowly; and bodies of it to ask about. */
export interface Oracle<Body> {
  random(random: Random): Body;
  /** How often it is drawn; absent: 1. */
  readonly weight?: number;
  holds(body: Body, unit: Unit): boolean;
}

/** A person, device or household with all of its facts that count. */
export interface Unit {
  readonly id: number;
  readonly level: Level;
  readonly facts: readonly Fact[];
  readonly world: World;
  /** All units, this one too. */
  readonly everybody: readonly Unit[];
}

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
export function membersOf(rule: Rule, world: World, level: Level = 'person'): number[] {
  const units = unitsOf(world, level).filter((unit) => holds(rule, unit));
  return [
    ...new Set(units.flatMap(({ facts }) => facts.filter(({ kind }) => kind === 'person').map(({ profile }) => profile))),
  ].sort((a, b) => a - b);
}

/** Facts that name no device are no device's. */
export function unitsOf(world: World, level: Level): Unit[] {
  const keyOf = (fact: Fact): number => (level === 'person' ? fact.profile : fact[level]);
  const counting = world.facts.filter(
    ({ kind, source, sources }) => kind === 'person' || ![source, ...sources].some((one) => world.withheld.includes(one)),
  );
  const ids = [...new Set(world.facts.map(keyOf))].filter((id) => id !== 0 || level !== 'device');
  const everybody: Unit[] = [];
  for (const id of ids) everybody.push({ id, level, world, everybody, facts: counting.filter((fact) => keyOf(fact) === id) });
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

// What several oracles need.

export function inWindow(at: number, window: Window | undefined, now: number): boolean {
  if (window === undefined) return true;
  if (window.days !== undefined) return at <= now && at > now - window.days * 86_400_000;
  const day = new Date(at).toISOString().slice(0, 10);
  return day >= (window.from as string) && day <= (window.to as string);
}

export function isWithin(value: number, bounds: Bounds | undefined): boolean {
  return bounds === undefined || (value >= (bounds.min ?? -Infinity) && value <= (bounds.max ?? Infinity));
}

/** All that are given lie within their bounds; where none is given there is a fact. A measure of nothing is null, and in no bounds. */
export function measured(
  measures: readonly (readonly [value: number | null, bounds: Bounds | undefined])[],
  facts: number,
): boolean {
  const given = measures.filter(([, bounds]) => bounds !== undefined);
  if (given.length === 0) return facts > 0;
  return given.every(([value, bounds]) => value !== null && isWithin(value, bounds));
}

export function different(values: readonly unknown[]): number {
  return new Set(values.map((value) => JSON.stringify(value))).size;
}

/** Whether the first and the last fact are so many days ago; "at most n" does not hold of n days to the millisecond, "at least n" does. */
export function isAged(facts: readonly Fact[], { first, last }: { first?: Bounds; last?: Bounds }, now: number): boolean {
  const ats = facts.map(({ at }) => at);
  const fits = (at: number, bounds: Bounds | undefined): boolean =>
    bounds === undefined ||
    (ats.length > 0 &&
      (bounds.min === undefined || now - at >= bounds.min * 86_400_000) &&
      (bounds.max === undefined || now - at < bounds.max * 86_400_000));
  return fits(Math.min(...ats), first) && fits(Math.max(...ats), last);
}

export function isTimed(fact: Fact, { weekdays, hours }: { weekdays?: readonly Weekday[]; hours?: HourSpan }): boolean {
  const names = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
  if (weekdays !== undefined && !weekdays.includes(names[fact.weekday - 1] as Weekday)) return false;
  if (hours === undefined) return true;
  for (let hour = hours.from; hour !== hours.to % 24; hour = (hour + 1) % 24) if (hour === fact.hour) return true;
  return false;
}

interface Places {
  readonly stores?: readonly string[];
  readonly storeGroups?: readonly string[];
  readonly near?: Near;
}

/** Null: any. */
export function storesIn({ stores, storeGroups, near }: Places, world: World): string[] | null {
  if (stores === undefined && storeGroups === undefined && near === undefined) return null;
  return [
    ...(stores ?? []),
    ...(storeGroups ?? []).flatMap((group) => world.groups[group] ?? []),
    ...(near === undefined ? [] : storesNear(near, world)),
  ];
}

/** An amount in another currency, to the micro; null: it has no rate. */
export function moneyIn(wanted: string, { amount, currency }: Fact, { perUsd }: World): number | null {
  if (currency === wanted) return amount;
  const rates: Readonly<Record<string, number>> = { ...perUsd, USD: 1 };
  const [from, to] = [rates[currency], rates[wanted]];
  return from === undefined || to === undefined ? null : Math.floor(amount * (to / from) + 0.5);
}
