import { describe, expect, it } from 'vitest';
import { proportionDifference } from '../../../dmp/reports/proportion.ts';
import { goesWithoutAds, outingOf } from '../../../load-tests/city/causal.ts';
import { chance, hashText } from '../../../load-tests/city/chance.ts';
import { drawCity } from '../../../load-tests/city/city.ts';
import { liveDay, type Sell } from '../../../load-tests/city/days.ts';
import { openLedger, type ShopperRecord } from '../../../load-tests/city/ledger.ts';
import { type CitySettings, DEFAULTS } from '../../../load-tests/city/settings.ts';

const settings: CitySettings = {
  seed: 12,
  shoppers: DEFAULTS.shoppers,
  days: DEFAULTS.days,
  effect: DEFAULTS.effect,
  holdout: DEFAULTS.holdout,
  start: Date.UTC(2026, 7, 3),
  attempt: 1,
};
const SPLITS = 1_000;

/** Bids on seven of ten people from some view on, and wins half. */
const sell: Sell = async (shopper, view) => {
  const reachable = shopper.ifa !== null && chance(9, 1, shopper.index) < 0.7;
  if (!reachable || chance(9, 2, hashText(view.auction)) < 0.4) return { kind: 'no-bid' };
  const won = chance(9, 3, hashText(view.auction)) < 0.5;
  return { kind: 'bid', at: view.at, creative: 'c', won, shownAt: won ? view.at + 3_000 : null, clickedAt: null, cost: 0 };
};

/** Everybody in both worlds: whether they come after their first decision with ads, and without. */
async function bothWorlds(): Promise<{ treated: boolean; control: boolean }[]> {
  const city = drawCity(settings);
  const ledger = openLedger(settings.shoppers);
  for (const shopper of city.shoppers)
    for (let day = 0; day < settings.days; day++) await liveDay(city, ledger, shopper, day, sell, () => 'li');
  return city.shoppers.flatMap((shopper) => {
    const { firstBid, visits } = ledger.shoppers[shopper.index] as ShopperRecord;
    if (firstBid === null) return [];
    const without = Array.from({ length: settings.days }, (_, day) => outingOf(settings, city.map, shopper, day));
    const seen = (outings: typeof without) => shopper.sharesLocation && outings.some((outing) => outing.from > firstBid);
    return [{ treated: seen(visits), control: seen(without.filter(goesWithoutAds)) }];
  });
}

describe('the report’s interval on the city', () => {
  it('holds the truth in 95 of 100 ways to draw the holdout, and is right on average', async () => {
    const people = await bothWorlds();
    let inside = 0;
    let error = 0;
    let told = 0;
    for (let split = 0; split < SPLITS; split++) {
      const counts = { treated: { people: 0, outcomes: 0 }, control: { people: 0, outcomes: 0 }, truth: 0 };
      people.forEach(({ treated, control }, index) => {
        const held = chance(split, 1, index) < settings.holdout / 100;
        const arm = held ? counts.control : counts.treated;
        arm.people++;
        arm.outcomes += Number(held ? control : treated);
        if (!held) counts.truth += Number(treated) - Number(control);
      });
      const truth = counts.truth / counts.treated.people;
      const found = proportionDifference(counts.treated, counts.control, 0.95);
      if (found === null) continue;
      inside += Number(found.difference.lo <= truth && truth <= found.difference.hi);
      told += Number(found.difference.lo > 0);
      error += (found.difference.point - truth) / SPLITS;
    }
    expect(people.length).toBeGreaterThan(1_000);
    expect(inside / SPLITS).toBeGreaterThan(0.93);
    expect(inside / SPLITS).toBeLessThan(0.985);
    // A thousand splits tell a bias of a tenth of a percentage point.
    expect(Math.abs(error)).toBeLessThan(0.002);
    // At the demo's size the lift can be told from nothing, whoever is held out.
    expect(told / SPLITS).toBeGreaterThan(0.9);
  });
});
