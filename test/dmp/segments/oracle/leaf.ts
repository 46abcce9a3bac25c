import type { Level } from '../../../../dmp/identity/kinds.ts';
import type { Bounds, HourSpan, Near, Weekday, Window } from '../../../../dmp/segments/members.ts';
import { type Fact, type Random, storesNear, type World } from '../../segments-world.ts';

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
  /** How surely what is known must be theirs, 0 to 1. */
  readonly confidence: number;
  /** All units, this one too. */
  readonly everybody: readonly Unit[];
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
