import { describe, expect, it } from 'vitest';
import { chance, hashText } from '../../../load-tests/city/chance.ts';
import { drawCity } from '../../../load-tests/city/city.ts';
import { eventsOf, liveDay, type Sell } from '../../../load-tests/city/days.ts';
import { type Ledger, openLedger, type ShopperRecord, totalOf } from '../../../load-tests/city/ledger.ts';
import { inParallel } from '../../../load-tests/city/pool.ts';
import { equality, insideOf } from '../../../load-tests/city/results.ts';
import { type CitySettings, DAY, startBefore } from '../../../load-tests/city/settings.ts';
import { truthOf, visitorsOf } from '../../../load-tests/city/truth.ts';

const settings: CitySettings = {
  seed: 3,
  shoppers: 400,
  days: 10,
  effect: 0.04,
  holdout: 40,
  start: Date.UTC(2026, 5, 1),
  attempt: 1,
};
const city = drawCity(settings);

/** Bids on everybody with an advertising id, and wins six of ten. */
const sell: Sell = async (shopper, view) => {
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 2));
  if (shopper.ifa === null) return { kind: 'no-bid' };
  const won = chance(1, 1, hashText(view.auction)) < 0.6;
  return {
    kind: 'bid',
    at: view.at,
    creative: 'c',
    won,
    shownAt: won ? view.at + 3_000 : null,
    clickedAt: null,
    cost: won ? 2_000 : 0,
  };
};

async function live(width: number, effect = settings.effect): Promise<Ledger> {
  const ledger = openLedger(settings.shoppers);
  const own = { ...city, settings: { ...settings, effect } };
  for (let day = 0; day < settings.days; day++)
    await inParallel(city.shoppers, width, (shopper) => liveDay(own, ledger, shopper, day, sell, () => 'li'));
  return ledger;
}

/** Two cities take their time on a busy machine. */
describe('the days with ads', { timeout: 120_000 }, () => {
  it('are the same one at a time and all at once', async () => {
    const few = await live(40);
    const many = await live(400);
    expect(many).toEqual(few);
    expect(truthOf(city, many)).toEqual(truthOf(city, few));
    for (let day = 0; day < settings.days; day++) expect(eventsOf(city, many, day)).toEqual(eventsOf(city, few, day));
  });

  it('have no effect where the effect is none', async () => {
    const truth = truthOf(city, await live(400, 0));
    expect(truth.treated).toBeGreaterThan(300);
    expect(truth.incrementalVisitors).toBe(0);
    expect(truth.incrementalRevenueMicros).toBe(0);
    expect(truth.relativeLift).toBe(0);
  });

  it('bring more visitors with an effect, and never fewer', async () => {
    const truth = truthOf(city, await live(400));
    expect(truth.incrementalVisitors).toBeGreaterThan(20);
    expect(truth.incrementalRevenueMicros).toBeGreaterThan(0);
    expect(truth.allIncrementalVisitors).toBeGreaterThanOrEqual(truth.incrementalVisitors);
  });
});

describe('the books', () => {
  it('add up line items and people alike', async () => {
    const ledger = await live(400);
    const total = totalOf(ledger);
    const people = ledger.shoppers as ShopperRecord[];
    expect(total.bids).toBe(people.reduce((sum, { bids }) => sum + bids.length, 0));
    expect(total.impressions).toBe(people.reduce((sum, { impressions }) => sum + impressions.length, 0));
    expect(total.spendMicros).toBe(total.impressions * 2_000);
    expect(ledger.requests).toBe(total.bids + ledger.noBids);
  });

  it('count the people whose phone shows a visit, by store and day', async () => {
    const ledger = await live(400);
    const seen = city.shoppers.filter(({ sharesLocation }) => sharesLocation);
    const all = seen.reduce((sum, { index }) => sum + (ledger.shoppers[index]?.visits.length ?? 0), 0);
    // Nobody visits twice a day, so people by store and day are visits.
    let counted = 0;
    for (const { id } of city.map.stores)
      for (let day = 0; day < settings.days; day++)
        counted += visitorsOf(city, ledger, {
          stores: [id],
          from: settings.start + day * DAY,
          to: settings.start + (day + 1) * DAY,
        });
    expect(counted).toBe(all);
  });

  it('are compared with the report to the unit', () => {
    const totals = { bids: 9, wins: 5, exposures: 4, clicks: 1, spendMicros: 700 };
    const report = { totals, lift: { visitors: { incremental: { lo: 1, hi: 3 } }, revenue: {} } } as never;
    const total = { bids: 9, wins: 5, impressions: 4, clicks: 1, spendMicros: 701 };
    expect(equality(total, report)).toEqual({ bids: true, wins: true, impressions: true, clicks: true, spendMicros: false });
    expect(insideOf({ incrementalVisitors: 3 } as never, report)).toEqual({ visitors: true, revenue: null });
    expect(insideOf({ incrementalVisitors: 4 } as never, report)).toEqual({ visitors: false, revenue: null });
  });
});

describe('the simulated time', () => {
  it('ends at the last midnight', () => {
    expect(startBefore(Date.UTC(2026, 5, 15, 13), 14)).toBe(Date.UTC(2026, 5, 1));
    expect(startBefore(Date.UTC(2026, 5, 15), 14) + 14 * DAY).toBe(Date.UTC(2026, 5, 15));
  });
});
