import { describe, expect, it } from 'vitest';
import { type ArmTotals, liftOf } from '../../../dmp/reports/lift.ts';
import { drawCity } from '../../../load-tests/city/city.ts';
import type { Report } from '../../../load-tests/city/report.ts';
import { DEFAULTS } from '../../../load-tests/city/settings.ts';
import type { Truth } from '../../../load-tests/city/truth.ts';
import { deviationOf, spreadOf } from '../../../load-tests/draws/deviation.ts';
import { isFair, pepperOf } from '../../../load-tests/draws/draw.ts';
import { splitsOf } from '../../../load-tests/draws/splits.ts';

const arm = (people: number, visitors: number, revenueMicros: number): ArmTotals => ({
  ...{ people, exposed: 0, visitors, exposedVisitors: 0, buyers: visitors, revenueMicros },
  ...{ revenueVariance: 4e12, crossed: 0 },
});

/** The report of arms as Walkin counts them. */
function reportOf(treated: ArmTotals, control: ArmTotals): Report {
  const input = { treated, control, expectedShare: 0.4, holdoutChanged: false, spendMicros: 1 };
  return { lift: liftOf(input) } as unknown as Report;
}

const truth = (more: number, lift: number, money: number): Truth =>
  ({ incrementalVisitors: more, relativeLift: lift, incrementalRevenueMicros: money }) as Truth;

describe('how far an estimate is off, in standard errors', () => {
  const report = reportOf(arm(600, 240, 900e6), arm(400, 100, 400e6));

  it('is nothing where the estimate is the truth', () => {
    const { visitors, lift, revenue } = deviationOf(truth(90, 0.6, 300e6), report) as NonNullable<ReturnType<typeof deviationOf>>;
    for (const off of [visitors, lift, revenue]) expect(off).toBeCloseTo(0, 6);
  });

  it('is the critical value where the truth lies on a limit of the interval', () => {
    const { incremental, relative } = report.lift.visitors as NonNullable<Report['lift']['visitors']>;
    const money = report.lift.revenue.incrementalMicros as NonNullable<Report['lift']['revenue']['incrementalMicros']>;
    const low = deviationOf(truth(incremental.lo, relative.lo, money.lo), report);
    expect(low?.visitors).toBeCloseTo(1.96, 2);
    expect(low?.lift).toBeCloseTo(1.96, 2);
    expect(low?.revenue).toBeCloseTo(1.96, 2);
    expect(deviationOf(truth(incremental.hi, relative.hi, money.hi), report)?.lift).toBeCloseTo(-1.96, 2);
  });

  it('is not told where the report concludes nothing', () => {
    expect(deviationOf(truth(1, 1, 1), reportOf(arm(30, 6, 1), arm(20, 4, 1)))).toBeNull();
  });

  it('spreads around the mean, and counts what lies inside', () => {
    expect(spreadOf([])).toBeNull();
    expect(spreadOf([1])).toEqual({ mean: 1, deviation: 0, bound: 2, inside: 1 });
    expect(spreadOf([-1, 1, 3, -3])).toEqual({ mean: 0, deviation: Math.sqrt(20 / 3), bound: 1, inside: 2 });
  });
});

describe('a draw', { timeout: 120_000 }, () => {
  const counts = (people: number) => ({ people, visitors: 100, revenueMicros: 0 });
  const told = { treated: counts(600), control: counts(400) };
  const fair = { ...told, moved: 0, heldOut: [3, 5] };
  const byPepper = [3, 5];

  it('is fair where each arm has whom it should have, and nobody’s first decision was moved', () => {
    expect(isFair({ fair, told, byPepper })).toBe(true);
    expect(isFair({ fair: { ...fair, moved: 1 }, told, byPepper })).toBe(false);
    expect(isFair({ fair: { ...fair, control: counts(401) }, told, byPepper })).toBe(false);
    expect(isFair({ fair: { ...fair, treated: counts(599) }, told, byPepper })).toBe(false);
    expect(isFair({ fair, told, byPepper: [3, 6] })).toBe(false);
  });

  it('has the same pepper again, and another than the others', () => {
    expect(pepperOf(1, 1)).toBe(pepperOf(1, 1));
    expect(new Set([pepperOf(1, 1), pepperOf(1, 2), pepperOf(2, 1)]).size).toBe(3);
  });

  it('splits people without favour: over many peppers the arms would visit alike without ads', () => {
    const city = drawCity({ ...DEFAULTS, shoppers: 600, start: Date.UTC(2026, 2, 2), attempt: 1 });
    const first = city.shoppers.map(({ ifa }) => (ifa === null ? null : city.settings.start));
    const peppers = Array.from({ length: 200 }, (_, n) => pepperOf(1, n));
    const spread = splitsOf(city, first, peppers);
    expect(Math.abs(spread?.mean ?? 1)).toBeLessThan(spread?.bound ?? 0);
    expect(spread?.deviation).toBeGreaterThan(0.85);
    expect(spread?.deviation).toBeLessThan(1.15);
    expect(spread?.inside).toBeGreaterThan(180);
  });
});
