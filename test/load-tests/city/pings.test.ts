import { describe, expect, it } from 'vitest';
import { outingOf } from '../../../load-tests/city/causal.ts';
import { drawCity } from '../../../load-tests/city/city.ts';
import { CENTRE, metres } from '../../../load-tests/city/map.ts';
import { backgroundPings, fix, visitPings } from '../../../load-tests/city/pings.ts';
import { receiptOf, tillTime } from '../../../load-tests/city/receipts.ts';
import { type CitySettings, MINUTE } from '../../../load-tests/city/settings.ts';

const settings: CitySettings = {
  seed: 11,
  shoppers: 200,
  days: 14,
  effect: 0.02,
  holdout: 40,
  start: Date.UTC(2026, 4, 4),
  attempt: 1,
};
const city = drawCity(settings);

describe('a fix', () => {
  const fixes = Array.from({ length: 20_000 }, (_, n) => fix(settings.seed, n, CENTRE, 0, 1));

  it('lies within its stated accuracy in 68 of 100 cases, near and far alike', () => {
    for (const [from, to] of [
      [0, 12],
      [12, 30],
      [30, 100],
      [100, 10_000],
    ] as const) {
      const some = fixes.filter(({ accuracy }) => accuracy >= from && accuracy < to);
      expect(some.length).toBeGreaterThan(100);
      const within = some.filter((one) => metres(one, CENTRE) <= one.accuracy).length / some.length;
      expect(within).toBeGreaterThan(0.63);
      expect(within).toBeLessThan(0.73);
    }
  });

  it('is without bias in both directions', () => {
    const good = fixes.filter(({ accuracy }) => accuracy < 60);
    const mean = { lat: average(good.map(({ lat }) => lat)), lon: average(good.map(({ lon }) => lon)) };
    expect(metres(mean, CENTRE)).toBeLessThan(0.6);
  });

  it('is a bad one now and then', () => {
    const bad = fixes.filter(({ accuracy }) => accuracy > 100).length / fixes.length;
    expect(bad).toBeGreaterThan(0.02);
    expect(bad).toBeLessThan(0.08);
  });
});

describe('the pings of a visit', () => {
  const visits = city.shoppers.map((shopper) => outingOf(settings, city.map, shopper, 3));

  it('come every one to two minutes for 8 to 30 minutes, with short gaps', () => {
    const gaps: number[] = [];
    for (const visit of visits) {
      const inside = visitPings(settings, visit).filter((ping) => ping.at >= visit.from && ping.at < visit.until);
      expect(visit.until - visit.from).toBeGreaterThanOrEqual(8 * MINUTE);
      expect(visit.until - visit.from).toBeLessThanOrEqual(30 * MINUTE);
      const times = inside.map(({ at }) => at);
      times.slice(1).forEach((at, index) => {
        gaps.push(at - (times[index] as number));
      });
    }
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(MINUTE - 1);
    expect(Math.max(...gaps)).toBeLessThan(13 * MINUTE);
    expect(gaps.filter((gap) => gap > 5 * MINUTE).length).toBeGreaterThan(0);
    expect(average(gaps)).toBeLessThan(2.2 * MINUTE);
  });

  it('have a time of their own each', () => {
    for (const visit of visits) {
      const times = visitPings(settings, visit).map(({ at }) => at);
      expect(new Set(times).size).toBe(times.length);
    }
  });

  it('are not disturbed by those of home and work', () => {
    for (const visit of visits) {
      const shopper = city.shoppers[visit.shopper] as (typeof city.shoppers)[number];
      for (const ping of backgroundPings(settings, city.map, shopper, 3, [visit]))
        expect(ping.at < visit.from - 10 * MINUTE || ping.at > visit.until + 10 * MINUTE).toBe(true);
    }
  });
});

describe('drive-bys', () => {
  it('pass a store within half a minute', () => {
    let passed = 0;
    for (const shopper of city.shoppers) {
      for (let day = 0; day < 14; day++) {
        const near = backgroundPings(settings, city.map, shopper, day, []).filter((ping) =>
          city.map.stores.some((store) => metres(ping, store) < 75),
        );
        if (near.length === 0) continue;
        passed++;
        expect(Math.max(...near.map(({ at }) => at)) - Math.min(...near.map(({ at }) => at))).toBeLessThan(30_000);
      }
    }
    expect(passed).toBeGreaterThan(100);
  });
});

describe('a receipt', () => {
  it('is written inside the visit, and always the same', () => {
    let written = 0;
    for (const shopper of city.shoppers) {
      const visit = outingOf(settings, city.map, shopper, 5);
      const receipt = receiptOf(settings, shopper, visit);
      expect(receipt).toEqual(receiptOf(settings, shopper, visit));
      if (receipt === null) continue;
      written++;
      expect(shopper.loyalty).not.toBeNull();
      expect(tillTime(visit)).toBeGreaterThan(visit.from);
      expect(tillTime(visit)).toBeLessThan(visit.until);
    }
    expect(written).toBeGreaterThan(100);
  });
});

function average(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
