import type { Event } from '../../../../dmp/segments/events.ts';
import {
  BRANDS,
  CATEGORIES,
  type Fact,
  FENCES,
  int,
  maybe,
  pick,
  type Random,
  STORES,
  some,
  type World,
} from '../../segments-world.ts';
import { storesIn } from './leaf.ts';

/** Whether a fact is what a rule names, with the filters that the random rules have. */
export function isEvent(fact: Fact, event: Event, world: World): boolean {
  const one = (values: readonly string[] | undefined, value: string): boolean => values === undefined || values.includes(value);
  if (event.bought !== undefined)
    return (
      fact.kind === 'purchase' &&
      one(event.bought.categories, fact.category) &&
      one(event.bought.brands, fact.brand) &&
      one(storesIn(event.bought, world) ?? undefined, fact.place) &&
      (event.bought.channel === undefined || event.bought.channel === fact.channel)
    );
  if (event.visited !== undefined) {
    if (fact.kind !== 'visit' || fact.dwell < (event.visited.minDwellSeconds ?? 0)) return false;
    const stores = storesIn(event.visited, world);
    const { geofences } = event.visited;
    if (stores === null && geofences === undefined) return fact.name === 'store';
    return fact.name === 'store' ? stores?.includes(fact.place) === true : geofences?.includes(fact.place) === true;
  }
  if (event.viewed !== undefined) return fact.kind === 'page' && fact.item.includes(event.viewed.urlContains ?? '');
  if (event.saw !== undefined) return fact.kind === 'impression' && one(event.saw.campaigns, fact.name);
  if (event.clicked !== undefined) return fact.kind === 'click' && one(event.clicked.campaigns, fact.name);
  if (event.did !== undefined) return fact.kind === 'action' && one(event.did.names, fact.name);
  if (event.redeemed !== undefined) return fact.kind === 'redemption' && one(event.redeemed.coupons, fact.item);
  throw new Error(`no event: ${JSON.stringify(event)}`);
}

export const bought = (random: Random): NonNullable<Event['bought']> => ({
  ...maybe(random, 0.3, { categories: some(random, CATEGORIES) }),
  ...maybe(random, 0.2, { brands: some(random, BRANDS) }),
  ...maybe(random, 0.2, { stores: some(random, STORES) }),
  ...maybe(random, 0.1, { storeGroups: some(random, ['sg_1', 'sg_none']) }),
});

export const visited = (random: Random): NonNullable<Event['visited']> => ({
  ...maybe(random, 0.3, { stores: some(random, STORES) }),
  ...maybe(random, 0.3, { geofences: some(random, FENCES) }),
  ...maybe(random, 0.2, { minDwellSeconds: int(random, 3, 60) * 60 }),
});

export function randomEvent(random: Random): Event {
  const roll = random();
  const channel = maybe(random, 0.2, { channel: pick(random, ['store', 'online'] as const) });
  if (roll < 0.4) return { bought: { ...bought(random), ...channel } };
  if (roll < 0.65) return { visited: visited(random) };
  if (roll < 0.75) return { viewed: maybe(random, 0.5, { urlContains: 'shop' }) };
  if (roll < 0.85) return { saw: maybe(random, 0.5, { campaigns: ['cmp_1'] }) };
  if (roll < 0.9) return { clicked: {} };
  return roll < 0.95 ? { did: maybe(random, 0.5, { names: ['survey'] }) } : { redeemed: {} };
}

export const randomGap = (random: Random) =>
  pick(random, [{ hours: 12 }, { days: 1 }, { days: 3, hours: 12 }, { days: 5 }, { minutes: 720, seconds: 1 }]);
