/** Rows with few features that are not 0: of row `n` those from `starts[n]` to `starts[n + 1]`. */
export interface SparseRows {
  readonly starts: Uint32Array;
  readonly features: Uint32Array;
  readonly values: Float64Array;
}

export interface Logistic {
  readonly bias: number;
  readonly weights: Float64Array;
}

/** What is minimised: Σ weight·log loss / Σ weight + l2 / 2 · |w|². The bias is not held back. */
export interface LogisticTask {
  readonly rows: SparseRows;
  /** 0 or 1 of each row, and how much it counts. */
  readonly labels: Uint8Array;
  readonly rowWeights: Float64Array;
  readonly features: number;
  readonly l2: number;
}

/** Pairs of steps that L-BFGS remembers, its steps at most, and the slope at which it is done. */
const MEMORY = 10;
const STEPS = 500;
const FLAT = 1e-7;

/**
 * Logistic regression by L-BFGS (Nocedal and Wright, Numerical Optimization, 7.4 and 7.5) with a backtracking line search. The task is convex, so
 * there is one answer; it starts at 0 and draws nothing, so the same rows give the same model.
 */
export function fitLogistic(task: LogisticTask): Logistic {
  const width = task.features + 1;
  let at = new Float64Array(width);
  let gradient = new Float64Array(width);
  let loss = lossOf(task, at, gradient);
  const pairs: { s: Float64Array; y: Float64Array; rho: number }[] = [];
  for (let step = 0; step < STEPS && steepest(gradient) > FLAT; step++) {
    const direction = descent(gradient, pairs);
    const slope = dot(direction, gradient);
    if (!(slope < 0)) break;
    const next = new Float64Array(width);
    const nextGradient = new Float64Array(width);
    let length = pairs.length === 0 ? Math.min(1, 1 / steepest(gradient)) : 1;
    let nextLoss = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 40; tries++, length /= 2) {
      for (let j = 0; j < width; j++) next[j] = (at[j] as number) + length * (direction[j] as number);
      nextLoss = lossOf(task, next, nextGradient);
      if (nextLoss <= loss + 1e-4 * length * slope) break;
    }
    if (!(nextLoss <= loss)) break;
    const s = next.map((value, j) => value - (at[j] as number));
    const y = nextGradient.map((value, j) => value - (gradient[j] as number));
    const curvature = dot(s, y);
    if (curvature > 1e-12) pairs.push({ s, y, rho: 1 / curvature });
    if (pairs.length > MEMORY) pairs.shift();
    [at, gradient, loss] = [next, nextGradient, nextLoss];
  }
  return { bias: at[task.features] as number, weights: at.slice(0, task.features) };
}

/** The loss at a point (the last place is the bias); its gradient is written into `gradient`. */
export function lossOf(task: LogisticTask, point: Float64Array, gradient: Float64Array): number {
  const { rows, labels, rowWeights, features: width, l2 } = task;
  const { starts, features, values } = rows;
  gradient.fill(0);
  let loss = 0;
  let total = 0;
  for (let n = 0; n < labels.length; n++) {
    const to = starts[n + 1] as number;
    let margin = point[width] as number;
    for (let k = starts[n] as number; k < to; k++) margin += (values[k] as number) * (point[features[k] as number] as number);
    const weight = rowWeights[n] as number;
    const label = labels[n] as number;
    loss += weight * (softplus(margin) - label * margin);
    const pull = weight * (sigmoid(margin) - label);
    for (let k = starts[n] as number; k < to; k++) {
      const j = features[k] as number;
      gradient[j] = (gradient[j] as number) + pull * (values[k] as number);
    }
    gradient[width] = (gradient[width] as number) + pull;
    total += weight;
  }
  let squares = 0;
  for (let j = 0; j <= width; j++) {
    const held = j < width ? l2 * (point[j] as number) : 0;
    squares += held * (point[j] as number);
    gradient[j] = (gradient[j] as number) / total + held;
  }
  return loss / total + squares / 2;
}

/** Probability by a model that one row of the features is a 1. */
export function predict({ bias, weights }: Logistic, features: readonly number[], values: readonly number[]): number {
  let margin = bias;
  for (let k = 0; k < features.length; k++) margin += (values[k] as number) * (weights[features[k] as number] as number);
  return sigmoid(margin);
}

function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : 1 - 1 / (1 + Math.exp(x));
}

/** log(1 + eˣ) */
function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}

/** −H·gradient, H from the remembered steps (the two loops of Nocedal). */
function descent(gradient: Float64Array, pairs: readonly { s: Float64Array; y: Float64Array; rho: number }[]): Float64Array {
  const q = gradient.slice();
  const alphas = new Float64Array(pairs.length);
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { s, y, rho } = pairs[i] as (typeof pairs)[number];
    const alpha = rho * dot(s, q);
    alphas[i] = alpha;
    for (let j = 0; j < q.length; j++) q[j] = (q[j] as number) - alpha * (y[j] as number);
  }
  const last = pairs.at(-1);
  const scale = last === undefined ? 1 : 1 / (last.rho * dot(last.y, last.y));
  for (let j = 0; j < q.length; j++) q[j] = (q[j] as number) * scale;
  for (let i = 0; i < pairs.length; i++) {
    const { s, y, rho } = pairs[i] as (typeof pairs)[number];
    const beta = rho * dot(y, q);
    for (let j = 0; j < q.length; j++) q[j] = (q[j] as number) + (s[j] as number) * ((alphas[i] as number) - beta);
  }
  for (let j = 0; j < q.length; j++) q[j] = -(q[j] as number);
  return q;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += (a[j] as number) * (b[j] as number);
  return sum;
}

function steepest(gradient: Float64Array): number {
  let most = 0;
  for (const value of gradient) most = Math.max(most, Math.abs(value));
  return most;
}
