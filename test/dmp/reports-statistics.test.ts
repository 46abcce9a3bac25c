import { describe, expect, test } from 'vitest';
import { perExposed } from '../../dmp/reports/contact.ts';
import { meanDifference } from '../../dmp/reports/mean.ts';
import { criticalValue, incompleteBeta, logGamma, normalTwoSided, studentTwoSided } from '../../dmp/reports/normal.ts';
import { detectableDifference, proportionDifference } from '../../dmp/reports/proportion.ts';
import { ratioInterval } from '../../dmp/reports/ratio.ts';
import { sampleRatioP } from '../../dmp/reports/sample-ratio.ts';
import { randomFrom } from './reports-random.ts';

describe('distributions', () => {
  test('the normal has its published tails and quantiles', () => {
    expect(normalTwoSided(0)).toBe(1);
    expect(normalTwoSided(1)).toBeCloseTo(0.31731050786291415, 13);
    expect(normalTwoSided(-1.959963984540054)).toBeCloseTo(0.05, 13);
    expect(normalTwoSided(6) / 1.9731752900754e-9).toBeCloseTo(1, 10);
    expect(normalTwoSided(3.5355) / normalTwoSided(3.5356)).toBeCloseTo(1.0004, 3);
    expect(criticalValue(0.05)).toBeCloseTo(1.959963984540054, 11);
    expect(criticalValue(0.01)).toBeCloseTo(2.5758293035489, 11);
  });
  test('Student’s t has its published quantiles', () => {
    expect(criticalValue(0.05, 1)).toBeCloseTo(12.706204736432095, 9);
    expect(criticalValue(0.05, 10)).toBeCloseTo(2.2281388519649385, 10);
    expect(criticalValue(0.05, 30)).toBeCloseTo(2.0422724563012373, 10);
    expect(criticalValue(0.05, 1e9)).toBeCloseTo(1.959963984540054, 6);
    expect(studentTwoSided(2, 5)).toBeCloseTo(0.101939475, 7);
  });
  test('the incomplete beta and log-gamma meet closed forms', () => {
    expect(incompleteBeta(0.3, 1, 1)).toBeCloseTo(0.3, 14);
    expect(incompleteBeta(0.25, 2, 3)).toBeCloseTo(0.26171875, 13);
    expect(incompleteBeta(0, 2, 3)).toBe(0);
    expect(incompleteBeta(1, 2, 3)).toBe(1);
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 12);
    expect(logGamma(11)).toBeCloseTo(Math.log(3_628_800), 11);
  });
});

describe('published experiments', () => {
  const control = { people: 3578, outcomes: 1205, exposed: 2, exposedOutcomes: 1 };
  const cases = [
    {
      treated: { people: 11789, outcomes: 4324, exposed: 5341, exposedOutcomes: 2300 },
      itt: 3.0002,
      se: 0.906,
      contact: 0.4525,
      late: 6.63,
      lateSe: 2,
    },
    {
      treated: { people: 9716, outcomes: 3449, exposed: 3301, exposedOutcomes: 1400 },
      itt: 1.8201,
      se: 0.927,
      contact: 0.3392,
      late: 5.366,
      lateSe: 2.73,
    },
  ];
  test.each(cases)(
    'SCOPE: intention to treat $itt points, per contacted $late',
    ({ treated, itt, se, contact, late, lateSe }) => {
      const difference = proportionDifference(treated, control, 0.95);
      expect((difference?.difference.point ?? 0) * 100).toBeCloseTo(itt, 4);
      expect((difference?.standardError ?? 0) * 100).toBeCloseTo(se, 3);
      const exposed = perExposed(treated, control, 0.95);
      expect(exposed.contact.point).toBeCloseTo(contact, 4);
      expect((exposed.effect?.point ?? 0) * 100).toBeCloseTo(late, 2);
      // The published standard error leaves the contact's own error out, which is small here.
      const half = (((exposed.effect?.hi ?? 0) - (exposed.effect?.lo ?? 0)) / 2) * 100;
      expect(half / 1.96 / lateSe).toBeCloseTo(1, 1);
    },
  );
  test('uplift identity: exposed share × (1 − 1/uplift) is the difference of the shares', () => {
    const p1 = 0.14;
    const p0 = 0.1;
    const inference = proportionDifference({ people: 1000, outcomes: 140 }, { people: 1000, outcomes: 100 }, 0.95);
    const uplift = 1 + (inference?.relative?.point ?? 0);
    expect(p1 * (1 - 1 / uplift)).toBeCloseTo(p1 - p0, 12);
  });
  test('Welch meets a worked example', () => {
    // Treated 27.5 … as in scipy.stats.ttest_ind(equal_var=False) of [1,2,3,4,5] and [2,4,6,8,10,12].
    const inference = meanDifference(
      { people: 5, mean: 3, sampleVariance: 2.5 },
      { people: 6, mean: 7, sampleVariance: 14 },
      0.95,
    );
    const df = (0.5 + 14 / 6) ** 2 / (0.25 / 4 + (14 / 6) ** 2 / 5);
    expect(inference?.difference.point).toBe(-4);
    expect(inference?.standardError).toBeCloseTo(Math.sqrt(0.5 + 14 / 6), 12);
    expect(inference?.pValue).toBeCloseTo(studentTwoSided(4 / Math.sqrt(0.5 + 14 / 6), df), 12);
  });
  test('the smallest effect that would be seen agrees with the planning formula', () => {
    // 0.14 against 0.17: the planned size at power 0.8, two-sided 0.05, detects just that.
    const people = Math.round(((1.959964 + 0.841621) ** 2 * (0.17 * 0.83 + 0.14 * 0.86)) / 0.03 ** 2);
    const delta = detectableDifference({ people, outcomes: 0 }, { people, outcomes: Math.round(people * 0.14) }, 0.95);
    expect(delta).toBeCloseTo(0.03, 3);
  });
});

describe('one inference', () => {
  test('Fieller contains no lift exactly when the difference contains zero, and so does the effect per exposed person', () => {
    const random = randomFrom(7);
    for (let i = 0; i < 3000; i++) {
      const arm = () => {
        const people = 50 + Math.floor(random() * 2000);
        const outcomes = Math.floor(people * (0.05 + 0.3 * random()));
        return { people, outcomes, exposed: Math.floor(people * 0.6), exposedOutcomes: Math.floor(outcomes * 0.7) };
      };
      const treated = arm();
      const control = { ...arm(), exposed: 0, exposedOutcomes: 0 };
      const inference = proportionDifference(treated, control, 0.95);
      if (inference === null) throw new Error('no variation');
      const { difference, relative, pValue } = inference;
      const significant = pValue < 0.05;
      expect(difference.lo > 0 || difference.hi < 0).toBe(significant);
      if (relative !== null) {
        expect(relative.lo > 0 || relative.hi < 0).toBe(significant);
        expect(relative.lo <= relative.point && relative.point <= relative.hi).toBe(true);
        expect(Math.sign(relative.point)).toBe(Math.sign(difference.point));
      }
      const { effect } = perExposed(treated, control, 0.95);
      if (effect !== null) expect(effect.lo > 0 || effect.hi < 0).toBe(significant);
    }
  });
  test('a denominator that may be zero has no interval', () => {
    const input = {
      numerator: 1,
      numeratorVariance: 0.1,
      denominator: 0.1,
      denominatorVariance: 0.01,
      covariance: 0,
      critical: 1.96,
    };
    expect(ratioInterval(input)).toBeNull();
  });
  test('where nothing varies nothing is concluded', () => {
    expect(proportionDifference({ people: 10, outcomes: 0 }, { people: 10, outcomes: 0 }, 0.95)).toBeNull();
    expect(
      meanDifference({ people: 10, mean: 0, sampleVariance: 0 }, { people: 9, mean: 0, sampleVariance: 0 }, 0.95),
    ).toBeNull();
  });
  test('contact below a twentieth gives no effect per exposed person', () => {
    const treated = { people: 10_000, outcomes: 2000, exposed: 400, exposedOutcomes: 100 };
    const control = { people: 10_000, outcomes: 1900, exposed: 0, exposedOutcomes: 0 };
    expect(perExposed(treated, control, 0.95).effect).toBeNull();
  });
});

describe('sample ratio', () => {
  test('the expected split passes, a shifted one does not', () => {
    expect(sampleRatioP(9000, 1000, 0.1)).toBe(1);
    expect(sampleRatioP(9100, 900, 0.1)).toBeCloseTo(normalTwoSided(Math.sqrt(100 ** 2 / 1000 + 100 ** 2 / 9000)), 12);
    expect(sampleRatioP(9200, 800, 0.1) as number).toBeLessThan(0.001);
    expect(sampleRatioP(9, 1, 0.1)).toBeNull();
  });
});

describe('coverage by simulation', () => {
  const RUNS = 2000;
  /** Limits of a share of runs at four standard errors: seeded, so this never flickers. */
  const within = (hits: number, expected: number) => {
    const slack = 4 * Math.sqrt((expected * (1 - expected)) / RUNS);
    expect(hits / RUNS).toBeGreaterThan(expected - slack - 0.005);
    expect(hits / RUNS).toBeLessThan(expected + slack + 0.005);
  };
  const drawArm = (random: () => number, people: number, p: number, contact: number, effect: number) => {
    let exposed = 0;
    let outcomes = 0;
    let exposedOutcomes = 0;
    for (let i = 0; i < people; i++) {
      const isExposed = random() < contact;
      const has = random() < p + (isExposed ? effect : 0);
      if (isExposed) exposed++;
      if (has) outcomes++;
      if (isExposed && has) exposedOutcomes++;
    }
    return { people, exposed, outcomes, exposedOutcomes };
  };
  test('95 % intervals of difference, relative lift and effect per exposed person cover the truth in 95 % of the runs', () => {
    const random = randomFrom(20_26);
    const hits = { difference: 0, relative: 0, effect: 0 };
    for (let run = 0; run < RUNS; run++) {
      const treated = drawArm(random, 1500, 0.12, 0.5, 0.06);
      const control = drawArm(random, 500, 0.12, 0, 0);
      const inference = proportionDifference(treated, control, 0.95);
      const { effect } = perExposed(treated, control, 0.95);
      if (covers(inference?.difference, 0.03)) hits.difference++;
      if (covers(inference?.relative, 0.25)) hits.relative++;
      if (covers(effect, 0.06)) hits.effect++;
    }
    within(hits.difference, 0.95);
    within(hits.relative, 0.95);
    within(hits.effect, 0.95);
  }, 60_000);
  test('A/A: p is uniform, for shares and for skewed revenue', () => {
    const random = randomFrom(11);
    const shares: number[] = [];
    const revenues: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      const count = () => drawArm(random, 800, 0.2, 0, 0);
      shares.push(proportionDifference(count(), count(), 0.95)?.pValue ?? 1);
      revenues.push(meanDifference(drawRevenue(random, 900), drawRevenue(random, 400), 0.95)?.pValue ?? 1);
    }
    for (const ps of [shares, revenues]) {
      for (const alpha of [0.05, 0.1, 0.25, 0.5, 0.75]) within(ps.filter((p) => p < alpha).length, alpha);
      expect(distanceFromUniform(ps)).toBeLessThan(1.95 / Math.sqrt(RUNS));
    }
  }, 60_000);
});

function covers(interval: { lo: number; hi: number } | null | undefined, truth: number): boolean {
  return interval !== null && interval !== undefined && interval.lo <= truth && truth <= interval.hi;
}

/** A third of the people buy, for an exponential amount. */
function drawRevenue(random: () => number, people: number) {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < people; i++) {
    const amount = random() < 1 / 3 ? -20 * Math.log(1 - random()) : 0;
    sum += amount;
    squares += amount * amount;
  }
  return { people, mean: sum / people, sampleVariance: (squares - (sum * sum) / people) / (people - 1) };
}

/** Kolmogorov and Smirnov's distance. */
function distanceFromUniform(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.max(
    ...sorted.map((value, i) => Math.max(Math.abs((i + 1) / sorted.length - value), Math.abs(value - i / sorted.length))),
  );
}
