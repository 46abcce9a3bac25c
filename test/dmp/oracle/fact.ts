import type { Event } from '../../../dmp/segments/events.ts';
import type { Bounds, Window } from '../../../dmp/segments/members.ts';

/** A row of `facts` as a plain object. Amounts are in one currency. */
export interface PlainFact {
  readonly profile: number;
  readonly device: number;
  readonly household: number;
  readonly kind: string;
  /** Epoch ms. */
  readonly at: number;
  readonly source: string;
  readonly sources: readonly string[];
  readonly once: number;
  readonly place: string;
  readonly category: string;
  readonly brand: string;
  readonly channel: string;
  readonly name: string;
  readonly item: string;
  readonly value: string;
  readonly amount: number;
  readonly currency: string;
  readonly dwell: number;
  /** H3, hexadecimal; '' for none. */
  readonly cell: string;
}

/** What the node's meaning depends on besides the facts of the unit. */
export interface OracleWorld {
  readonly now: number;
  readonly withheld: readonly string[];
}

export const DAY = 86_400_000;

export function counts(fact: PlainFact, { withheld }: OracleWorld): boolean {
  return !withheld.includes(fact.source) && !fact.sources.some((source) => withheld.includes(source));
}

/** Whether a fact is an event of a rule, with the filters that the random rules have. */
export function isEvent(fact: PlainFact, event: Event, world: OracleWorld): boolean {
  const one = (values: readonly string[] | undefined, value: string): boolean => values === undefined || values.includes(value);
  if (!counts(fact, world)) return false;
  if (event.bought !== undefined)
    return (
      fact.kind === 'purchase' &&
      one(event.bought.categories, fact.category) &&
      one(event.bought.brands, fact.brand) &&
      one(event.bought.stores, fact.place) &&
      (event.bought.channel === undefined || event.bought.channel === fact.channel)
    );
  if (event.visited !== undefined) {
    if (fact.kind !== 'visit' || fact.dwell < (event.visited.minDwellSeconds ?? 0)) return false;
    const { stores, geofences } = event.visited;
    if (stores === undefined && geofences === undefined) return fact.name === 'store';
    return fact.name === 'store' ? stores?.includes(fact.place) === true : geofences?.includes(fact.place) === true;
  }
  if (event.viewed !== undefined) return fact.kind === 'page' && fact.item.includes(event.viewed.urlContains ?? '');
  if (event.saw !== undefined) return fact.kind === 'impression' && one(event.saw.campaigns, fact.name);
  if (event.clicked !== undefined) return fact.kind === 'click' && one(event.clicked.campaigns, fact.name);
  if (event.did !== undefined) return fact.kind === 'action' && one(event.did.names, fact.name);
  if (event.redeemed !== undefined) return fact.kind === 'redemption' && one(event.redeemed.coupons, fact.item);
  throw new Error(`no event: ${JSON.stringify(event)}`);
}

export function inWindow(at: number, window: Window | undefined, now: number): boolean {
  if (window === undefined) return true;
  if (window.days !== undefined) return at > now - window.days * DAY && at <= now;
  return at >= Date.parse(`${window.from}T00:00:00Z`) && at < Date.parse(`${window.to}T00:00:00Z`) + DAY;
}

export function lies(value: number, { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: Bounds): boolean {
  return value >= min && value <= max;
}

export const utcDay = (at: number): number => Math.floor(at / DAY);
