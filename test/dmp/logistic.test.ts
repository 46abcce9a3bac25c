import { describe, expect, test } from 'vitest';
import { aucOf, type Scored } from '../../dmp/segments/auc.ts';
import { fitLogistic, type LogisticTask, lossOf, predict } from '../../dmp/segments/logistic.ts';
import { int, type Random, seeded } from './segments-world.ts';

/** Rows of a known model: `weights` of as many features, the rest means nothing. */
function taskOf(random: Random, people: number, features: number, weights: readonly number[], l2: number): LogisticTask {
  const starts = [0];
  const columns: number[] = [];
  const values: number[] = [];
  const labels: number[] = [];
  const rowWeights: number[] = [];
  for (let n = 0; n < people; n++) {
    let margin = -0.5;
    for (let j = 0; j < features; j++) {
      if (random() > 0.3) continue;
      const value = random() * 2;
      columns.push(j);
      values.push(value);
      margin += value * (weights[j] ?? 0);
    }
    starts.push(columns.length);
    labels.push(random() < 1 / (1 + Math.exp(-margin)) ? 1 : 0);
    rowWeights.push(0.5 + random());
  }
  return {
    rows: { starts: Uint32Array.from(starts), features: Uint32Array.from(columns), values: Float64Array.from(values) },
    labels: Uint8Array.from(labels),
    rowWeights: Float64Array.from(rowWeights),
    features,
    l2,
  };
}

describe('the logistic model', () => {
  test('its gradient is that of its loss, by finite differences', () => {
    const random = seeded(3);
    const task = taskOf(random, 200, 12, [1, -2, 0.5], 0.01);
    const point = Float64Array.from({ length: 13 }, () => random() * 2 - 1);
    const gradient = new Float64Array(13);
    lossOf(task, point, gradient);
    for (let j = 0; j < 13; j++) {
      const [up, down] = [point.slice(), point.slice()];
      up[j] = (up[j] as number) + 1e-6;
      down[j] = (down[j] as number) - 1e-6;
      const slope = (lossOf(task, up, new Float64Array(13)) - lossOf(task, down, new Float64Array(13))) / 2e-6;
      expect(gradient[j]).toBeCloseTo(slope, 6);
    }
  });

  test('it is the answer that a slow and obvious descent comes to', () => {
    const task = taskOf(seeded(4), 200, 6, [1.5, -1, 0, 2], 0.02);
    const { weights, bias } = fitLogistic(task);
    const slow = slowFit(task);
    slow.forEach((value, j) => void expect(j < 6 ? weights[j] : bias).toBeCloseTo(value, 4));
  });

  test('it finds the weights that the rows were drawn by, and the same rows give the same model', () => {
    const task = taskOf(seeded(5), 40_000, 5, [1.5, -1, 0, 0.7, 0], 1e-6);
    const model = fitLogistic(task);
    [1.5, -1, 0, 0.7, 0].forEach((weight, j) => void expect(Math.abs((model.weights[j] as number) - weight)).toBeLessThan(0.08));
    expect(fitLogistic(task)).toEqual(model);
    expect(predict(model, [], [])).toBeCloseTo(1 / (1 + Math.exp(0.5)), 1);
  });

  test('it does not run away from rows that can be told apart wholly, nor from a feature that nobody has', () => {
    const starts = Uint32Array.from([0, 1, 1]);
    const rows = { starts, features: Uint32Array.from([0]), values: Float64Array.from([1]) };
    const task = { rows, labels: Uint8Array.from([1, 0]), rowWeights: Float64Array.from([1, 1]), features: 2, l2: 0.01 };
    const { weights } = fitLogistic(task);
    expect(weights[0]).toBeGreaterThan(1);
    expect(weights[0]).toBeLessThan(20);
    expect(weights[1]).toBe(0);
  });
});

/** Steps of one size down the slope, written out: no sparseness, no memory. */
function slowFit({ rows, labels, rowWeights, features, l2 }: LogisticTask): number[] {
  const dense = [...labels].map((_, n) => {
    const row = new Array<number>(features + 1).fill(0);
    for (let k = rows.starts[n] as number; k < (rows.starts[n + 1] as number); k++)
      row[rows.features[k] as number] = rows.values[k] as number;
    row[features] = 1;
    return row;
  });
  const total = rowWeights.reduce((sum, weight) => sum + weight, 0);
  let w = new Array<number>(features + 1).fill(0);
  for (let step = 0; step < 6_000; step++) {
    const gradient = w.map((value, j) => (j < features ? l2 * value : 0));
    dense.forEach((row, n) => {
      const p = 1 / (1 + Math.exp(-row.reduce((sum, x, j) => sum + x * (w[j] as number), 0)));
      row.forEach((x, j) => {
        gradient[j] = (gradient[j] as number) + ((rowWeights[n] as number) / total) * (p - (labels[n] as number)) * x;
      });
    });
    w = w.map((value, j) => value - 0.5 * (gradient[j] as number));
  }
  return w;
}

describe('the area under the curve', () => {
  const one = (score: number, isSeed: boolean, household: number): Scored => ({ score, isSeed, household });

  test('is the share of pairs in the right order, ties half', () => {
    const random = seeded(6);
    const people = Array.from({ length: 60 }, (_, n) => one(int(random, 0, 10), random() < 0.4, n));
    const seeds = people.filter(({ isSeed }) => isSeed);
    const others = people.filter(({ isSeed }) => !isSeed);
    const pairs = seeds.flatMap((a) => others.map((b) => (a.score > b.score ? 1 : a.score === b.score ? 0.5 : 0) as number));
    expect(aucOf(people)?.value).toBeCloseTo(pairs.reduce((sum, n) => sum + n, 0) / pairs.length, 12);
    expect(aucOf(seeds)).toBe(null);
  });

  test('of a perfect order it is 1, and the interval does not claim to be sure', () => {
    const people = Array.from({ length: 40 }, (_, n) => one(n, n >= 20, n));
    const told = aucOf(people);
    expect(told?.value).toBe(1);
    expect(told?.lo).toBeLessThan(1);
    expect(told?.lo).toBeGreaterThan(0.8);
  });

  // Scores of seeds are normal around 1, of others around 0: the truth is P(N(1, 2) > 0).
  const TRUTH = 0.76025;
  test.each([
    ['strangers', 0],
    ['households whose members are alike', 0.8],
  ])('its interval holds the truth in about 95 of 100 draws of %s', (_, alike) => {
    const random = seeded(7);
    const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    let held = 0;
    for (let draw = 0; draw < 800; draw++) {
      const people: Scored[] = [];
      for (let household = 0; household < 120; household++) {
        const [common, isSeed] = [normal(), random() < 0.3];
        for (let n = 0; n < 3; n++) {
          const noise = Math.sqrt(alike) * common + Math.sqrt(1 - alike) * normal();
          people.push(one((isSeed ? 1 : 0) + noise, isSeed, household));
        }
      }
      const told = aucOf(people);
      if (told !== null && told.lo <= TRUTH && TRUTH <= told.hi) held++;
    }
    expect(held / 800).toBeGreaterThan(0.92);
    expect(held / 800).toBeLessThan(0.98);
  });
});
