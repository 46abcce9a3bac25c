import { describe, expect, it } from 'vitest';
import { goes, goesWithoutAds, outingOf, rivalOutingOf } from '../../../load-tests/city/causal.ts';
import { chance, gauss } from '../../../load-tests/city/chance.ts';
import { drawCity } from '../../../load-tests/city/city.ts';
import { historyOf } from '../../../load-tests/city/days.ts';
import { metres } from '../../../load-tests/city/map.ts';
import { pageViews } from '../../../load-tests/city/page-views.ts';
import { type CitySettings, DAY, HOUR, MINUTE } from '../../../load-tests/city/settings.ts';
import { contains } from '../../../proto/fence.ts';

const settings: CitySettings = {
  seed: 7,
  shoppers: 300,
  days: 14,
  effect: 0.05,
  holdout: 40,
  start: Date.UTC(2026, 2, 2),
  attempt: 1,
};
const city = drawCity(settings);

describe('chance', () => {
  it('is the same for the same question, and spread evenly over others', () => {
    expect(chance(1, 2, 3, 4, 5)).toBe(chance(1, 2, 3, 4, 5));
    const draws = Array.from({ length: 20_000 }, (_, n) => chance(1, 2, n));
    expect(draws.reduce((sum, draw) => sum + draw, 0) / draws.length).toBeCloseTo(0.5, 2);
    for (let tenth = 0; tenth < 10; tenth++)
      expect(draws.filter((draw) => Math.floor(draw * 10) === tenth).length / draws.length).toBeCloseTo(0.1, 1);
    expect(new Set(draws).size).toBe(draws.length);
  });

  it('gives normal draws of mean 0 and deviation 1', () => {
    const draws = Array.from({ length: 20_000 }, (_, n) => gauss(3, 4, n));
    const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length;
    expect(mean).toBeCloseTo(0, 1);
    expect(Math.sqrt(draws.reduce((sum, draw) => sum + (draw - mean) ** 2, 0) / draws.length)).toBeCloseTo(1, 1);
  });
});

/** Thousands of draws take their time on a busy machine. */
describe('the city', { timeout: 120_000 }, () => {
  it('is the same for the same seed and another for another', () => {
    expect(drawCity(settings)).toEqual(city);
    expect(historyOf(drawCity(settings), 'city')).toEqual(historyOf(city, 'city'));
    expect(drawCity({ ...settings, seed: 8 }).shoppers[0]?.home).not.toEqual(city.shoppers[0]?.home);
  });

  it('does not change its people when there are more of them', () => {
    expect(drawCity({ ...settings, shoppers: 10 }).shoppers).toEqual(city.shoppers.slice(0, 10));
  });

  it('has one store that never closes, one with a polygon, and each store inside its own fence', () => {
    const { stores } = city.map;
    expect(stores.filter((store) => store.open === 0 && store.close === 24)).toHaveLength(1);
    expect(stores.filter((store) => store.fence.type === 'polygon')).toHaveLength(1);
    for (const store of stores) expect(contains(store.fence, store.lat, store.lon)).toBe(true);
  });

  it('lets nobody live or work beside a store', () => {
    for (const { home, work } of city.shoppers)
      for (const store of [...city.map.stores, ...city.map.rivals])
        expect(Math.min(metres(home, store), metres(work, store))).toBeGreaterThan(250);
  });

  it('has people without a card, without an advertising id, and without shared location', () => {
    const share = (test: (shopper: (typeof city.shoppers)[number]) => boolean) =>
      city.shoppers.filter(test).length / city.shoppers.length;
    expect(share((shopper) => shopper.loyalty !== null)).toBeGreaterThan(0.8);
    expect(share((shopper) => shopper.loyalty === null)).toBeGreaterThan(0.05);
    expect(share((shopper) => shopper.ifa === null)).toBeGreaterThan(0.02);
    expect(share((shopper) => shopper.sharesLocation)).toBeGreaterThan(0.7);
    for (const shopper of city.shoppers) if (shopper.ifa === null) expect(shopper.sharesLocation).toBe(false);
  });
});

describe('the two worlds of a shopper', () => {
  const outings = city.shoppers.flatMap((shopper) =>
    Array.from({ length: 14 }, (_, day) => outingOf(settings, city.map, shopper, day)),
  );

  it('are drawn alike in any order', () => {
    const backwards = [...city.shoppers]
      .reverse()
      .flatMap((shopper) => Array.from({ length: 14 }, (_, day) => outingOf(settings, city.map, shopper, 13 - day)))
      .reverse();
    expect(backwards).toEqual(outings);
  });

  it('differ only by visits that the ads caused, about as many as the effect says', () => {
    const exposed = outings.filter((outing) => goes(outing, settings.effect, [outing.from - HOUR]));
    const unexposed = outings.filter((outing) => goes(outing, settings.effect, []));
    expect(unexposed).toEqual(outings.filter(goesWithoutAds));
    expect(unexposed.every((outing) => exposed.includes(outing))).toBe(true);
    expect((exposed.length - unexposed.length) / outings.length).toBeCloseTo(settings.effect, 2);
  });

  it('are not changed by an exposure that comes later or is long ago', () => {
    for (const outing of outings.slice(0, 500)) {
      expect(goes(outing, 1, [outing.from + 1])).toBe(goesWithoutAds(outing));
      expect(goes(outing, 1, [outing.from - 3 * DAY - 1])).toBe(goesWithoutAds(outing));
      expect(goes(outing, 1, [outing.from - 1])).toBe(true);
    }
  });

  it('keep outings within a local day and within the hours of the shops, and apart from those to the competitor', () => {
    for (const outing of outings) {
      const localHour = ((outing.from - settings.start - outing.day * DAY) / HOUR + 3) % 24;
      expect(localHour).toBeGreaterThan(8);
      expect(localHour).toBeLessThan(21);
      const rival = rivalOutingOf(settings, city.map, city.shoppers[outing.shopper] as never, outing.day);
      if (rival !== null) expect(rival.until).toBeLessThan(outing.from);
    }
  });
});

describe('page views', () => {
  it('come in order, well apart, and never while the shopper might be in a store', () => {
    for (const shopper of city.shoppers.slice(0, 100)) {
      for (let day = 0; day < 14; day++) {
        const outing = outingOf(settings, city.map, shopper, day);
        const views = pageViews(settings, city.map, shopper, day, [outing]);
        views.forEach((view, index) => {
          if (index > 0) expect(view.at - (views[index - 1]?.at ?? 0)).toBeGreaterThan(20 * MINUTE);
          expect(view.at < outing.from - 10 * MINUTE || view.at > outing.until + 10 * MINUTE).toBe(true);
          if (view.kind === 'site' || !shopper.sharesLocation) expect(view.fix).toBeNull();
        });
      }
    }
  });

  it('stay within the days with ads', () => {
    for (const shopper of city.shoppers.slice(0, 100))
      for (const day of [0, 13])
        for (const view of pageViews(settings, city.map, shopper, day, [])) {
          expect(view.at).toBeGreaterThanOrEqual(settings.start + day * DAY);
          expect(view.at).toBeLessThan(settings.start + (day + 1) * DAY);
        }
  });
});
