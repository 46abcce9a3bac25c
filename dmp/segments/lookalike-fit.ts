import type { DmpDeps } from '../deps.ts';
import { type JobContext, JobRefused } from '../jobs/jobs.ts';
import type { Thing } from '../things/things.ts';
import { scopeOf } from './advertiser-scope.ts';
import { aucOf, type Scored } from './auc.ts';
import { Binder } from './binder.ts';
import { clusterInterval } from './cluster-interval.ts';
import { fitLogistic, type Logistic, predict } from './logistic.ts';
import { type CurvePoint, LEAST_SEEDS, type Lookalike, type LookalikeFit, type LookalikeRefusal } from './lookalike.ts';
import { featuresOf, type PersonRow, readVocabulary, type Vocabulary } from './lookalike-features.ts';
import { MEMBERS, versionsOf } from './overlap.ts';
import { factsThatCount, whoDidNotRefuse } from './rows.ts';
import { compileScan } from './scan.ts';
import type { RuleScope } from './scope.ts';
import { isSensitive, selectsSensitive } from './sensitive.ts';
import { readShards, SHARDS } from './shards.ts';

type Deps = Pick<DmpDeps, 'warehouse' | 'things' | 'now'>;
type Steps = Pick<JobContext, 'progress' | 'checkpoint'>;

const LIMITS = { seconds: 300, memoryBytes: 3 * 1024 ** 3 };
/** People whom a model is fitted to, at most. */
const MOST_SEEDS = 20_000;
const MOST_OTHERS = 40_000;
/** People who are read at once. */
const BATCH = 50_000;
/** Each part of the households is kept from one of the models that measure. */
const FOLDS = 5;
const POINTS = 20;
const TOLD_WEIGHTS = 30;
const BY = { actor: 'lookalike' };

/** Fits a look-alike anew and scores everybody by it. What it came to is shown with the look-alike; a refusal ends the job. */
export async function fitLookalike(deps: Deps, id: string, steps: Steps): Promise<LookalikeFit> {
  await forgetDeleted(deps);
  const lookalike = deps.things.get('lookalike', id);
  if (lookalike === undefined) throw new JobRefused('unknown_lookalike', `there is no look-alike ${id}`);
  const began = performance.now();
  const at = deps.now();
  const fit = await fitOf(deps, lookalike, at, steps);
  const told: LookalikeFit = { ...fit, version: at, at, seconds: (performance.now() - began) / 1000 };
  // Nobody is told of a sensitive or tiny seed by the scores of an older fit either.
  const stale = fit.refused === null ? 'version < {version:UInt64}' : '1';
  await deps.warehouse.command({
    sql: `DELETE FROM lookalike_scores WHERE model = {model:String} AND ${stale}`,
    params: { model: id, version: at },
  });
  await deps.things.put('lookalike-fit', id, told, BY);
  if (fit.refused !== null) throw new JobRefused(fit.refused, REFUSED[fit.refused]);
  return told;
}

const REFUSED: Readonly<Record<LookalikeRefusal, string>> = {
  seed_too_small: `fewer than ${LEAST_SEEDS} people of the seed are known by what the advertiser may use`,
  sensitive_seed: 'the seed or the population is made of a sensitive segment',
  seed_not_evaluated: 'the seed was not evaluated yet',
  population_too_small: `fewer than ${LEAST_SEEDS} people besides the seed are known by what the advertiser may use`,
  nothing_known: 'nothing is known of these people by which they could resemble each other',
};

type Outcome = Omit<LookalikeFit, 'version' | 'at' | 'seconds'>;

const refusal = (refused: LookalikeRefusal, seeds = 0, population = 0): Outcome => ({
  ...{ refused, seeds, population, features: 0, heldOut: null, auc: null, curve: [], weights: [] },
});

async function fitOf(deps: Deps, { id, body }: Thing<Lookalike>, at: number, steps: Steps): Promise<Outcome> {
  const { warehouse, things } = deps;
  if (isSensitive(things, body.seed) || selectsSensitive(things, body.population)) return refusal('sensitive_seed');
  const { segments, versions, never } = await versionsOf(warehouse, [body.seed]);
  if (never.length > 0) return refusal('seed_not_evaluated');

  const scope = scopeOf(things, body.advertiser, at);
  const asked = askedOf(scope, body);
  const { bound, where, seed } = asked;
  Object.assign(bound.values, { segments, versions });
  await steps.checkpoint();
  const counts = await countPeople(deps, asked);
  if (counts.seeds < LEAST_SEEDS) return refusal('seed_too_small', counts.seeds, counts.others);
  if (counts.others < LEAST_SEEDS) return refusal('population_too_small', counts.seeds, counts.others);
  const vocabulary = await readVocabulary(warehouse, where, bound, things.get('segment', body.seed)?.body.rule);

  const sampled = sampleOf(counts, asked);
  const everybody = (await readShards(warehouse)).people.reduce((sum, n) => sum + n, 0);
  const statementOf = (condition: string) => featuresOf(vocabulary, condition, seed, bound, at);
  const sample = await inParts(deps, steps, 'features', everybody, (range) => statementOf(`${range} AND ${sampled}`), []);
  if (sample.every(({ f }) => f.length === 0)) return refusal('nothing_known', counts.seeds, counts.others);

  // Each is scored by a model that has seen nobody of the household.
  const measured: Scored[] = [];
  for (let fold = 0; fold < FOLDS; fold++) {
    await steps.checkpoint();
    await steps.progress({ done: fold, total: FOLDS + 1, unit: 'models', stage: 'fit' });
    const model = modelOf(
      sample.filter(({ household }) => foldOf(household) !== fold),
      vocabulary,
    );
    for (const { household, f, v, seed: isSeed } of sample)
      if (foldOf(household) === fold) measured.push({ household, score: predict(model, f, v), isSeed: isSeed === 1 });
  }
  const model = modelOf(sample, vocabulary);

  const scores: Float32Array[] = [];
  await inParts(
    deps,
    steps,
    'scores',
    everybody,
    (range) => statementOf(`${range} AND ${where}`),
    null,
    async (rows) => {
      const others = rows.filter((row) => row.seed === 0);
      const scored = others.map(({ f, v }) => predict(model, f, v));
      scores.push(Float32Array.from(scored));
      const lines = others.map(
        ({ shard, profile }, n) => `${id}\t${shard}\t${profile}\t${(scored[n] as number).toFixed(6)}\t${at}\n`,
      );
      const token = `${id} ${at} ${others[0]?.shard ?? ''}`;
      await warehouse.insertText(
        'lookalike_scores',
        ['model', 'shard', 'profile', 'score', 'version'],
        Buffer.from(lines.join('')),
        token,
      );
    },
  );
  const seeds = measured.filter(({ isSeed }) => isSeed).length;
  return {
    refused: null,
    seeds: counts.seeds,
    population: scores.reduce((sum, part) => sum + part.length, 0),
    features: vocabulary.names.length,
    heldOut: { seeds, others: measured.length - seeds },
    auc: aucOf(measured),
    curve: curveOf(measured, scores),
    weights: strongest(model, vocabulary),
  };
}

interface Asked {
  readonly bound: Binder;
  /** Condition over rows of `facts`: they count, and are of the population or the seed, who did not refuse. */
  readonly where: string;
  /** Condition over `profile`. */
  readonly seed: string;
}

function askedOf(scope: RuleScope, { population }: Lookalike): Asked {
  const bound = new Binder();
  const seed = `profile IN (SELECT arrayJoin(bitmapToArray(members)) FROM (${MEMBERS}))`;
  const scan = population === null ? null : compileScan([population], scope, bound);
  const among = scan === null ? '' : `(${seed} OR profile IN (SELECT unit FROM (${scan.units('')}) WHERE ${scan.holds[0]}))`;
  const own = scope.stores === null ? '' : `(kind != 'visit' OR place IN ${bound.texts(scope.stores)})`;
  const conditions = ["kind != 'person'", factsThatCount({ scope, bound }), whoDidNotRefuse({ scope, bound }), among, own];
  return { bound, where: conditions.filter((condition) => condition !== '').join(' AND '), seed };
}

interface People {
  readonly seeds: number;
  readonly others: number;
}

async function countPeople({ warehouse }: Deps, { bound, where, seed }: Asked): Promise<People> {
  const sql = `SELECT countIf(${seed}) AS seeds, count() - seeds AS others FROM (
    SELECT DISTINCT profile FROM facts WHERE kind IN ('purchase', 'visit', 'attribute') AND ${where})`;
  const [row] = await warehouse.query<{ seeds: string; others: string }>({ sql, params: bound.values }, LIMITS);
  return { seeds: Number(row?.seeds ?? 0), others: Number(row?.others ?? 0) };
}

/** By a hash of the person, so that the same facts give the same model. */
function sampleOf({ seeds, others }: People, { where, seed }: Asked): string {
  const part = (most: number, of: number): number => Math.ceil(Math.min(1, most / of) * 1_000_000);
  return `${where} AND cityHash64(profile, 'look-alike') % 1000000 < if(${seed}, ${part(MOST_SEEDS, seeds)}, ${part(MOST_OTHERS, others)})`;
}

/** Reads people by ranges of shards; collects them where there is a list for them. */
async function inParts(
  { warehouse }: Deps,
  { checkpoint, progress }: Steps,
  stage: string,
  everybody: number,
  statementOf: (range: string) => ReturnType<typeof featuresOf>,
  collected: PersonRow[] | null,
  take?: (rows: readonly PersonRow[]) => Promise<void>,
): Promise<PersonRow[]> {
  const step = Math.max(1, Math.floor((SHARDS * BATCH) / Math.max(1, everybody)));
  for (let from = 0; from < SHARDS; from += step) {
    await checkpoint();
    await progress({ done: from, total: SHARDS, unit: 'shards', stage });
    const rows = await warehouse.query<PersonRow>(statementOf(`shard >= ${from} AND shard < ${from + step}`), LIMITS);
    collected?.push(...rows);
    await take?.(rows);
  }
  return (collected ?? []).sort((a, b) => a.profile - b.profile);
}

/** Which part of the households one is in, by a mix of its number (Knuth's multiplicative hash). */
function foldOf(household: number): number {
  return (Math.imul(household, 2_654_435_761) >>> 0) % FOLDS;
}

/** A feature that hardly varies must not count for more than its share. */
const LEAST_SPREAD = 0.1;

/**
 * Seeds and others count as much as each other in all, so a similarity of a half is that of somebody who is as like the one as the other. Features
 * are standardised by their spread, and held back the more the fewer seeds there are.
 */
function modelOf(people: readonly PersonRow[], { names }: Vocabulary): Logistic {
  const width = names.length;
  const spread = spreadOf(people, width);
  const size = people.reduce((sum, { f }) => sum + f.length, 0);
  const rows = { starts: new Uint32Array(people.length + 1), features: new Uint32Array(size), values: new Float64Array(size) };
  let next = 0;
  people.forEach(({ f, v }, n) => {
    for (let k = 0; k < f.length; k++) {
      rows.features[next] = f[k] as number;
      rows.values[next++] = (v[k] as number) / (spread[f[k] as number] as number);
    }
    rows.starts[n + 1] = next;
  });
  const labels = Uint8Array.from(people, ({ seed }) => seed);
  const seeds = labels.reduce((sum, label) => sum + label, 0);
  const rowWeights = Float64Array.from(
    labels,
    (label) => people.length / (2 * Math.max(1, label === 1 ? seeds : people.length - seeds)),
  );
  const l2 = Math.min(0.05, Math.max(1e-4, 5 / Math.max(1, seeds)));
  const { bias, weights } = fitLogistic({ rows, labels, rowWeights, features: width, l2 });
  return { bias, weights: weights.map((weight, j) => weight / (spread[j] as number)) };
}

/** Standard deviation of each feature. */
function spreadOf(people: readonly PersonRow[], width: number): Float64Array {
  const sums = new Float64Array(width);
  const squares = new Float64Array(width);
  for (const { f, v } of people)
    for (let k = 0; k < f.length; k++) {
      const [j, value] = [f[k] as number, v[k] as number];
      sums[j] = (sums[j] as number) + value;
      squares[j] = (squares[j] as number) + value * value;
    }
  const n = Math.max(1, people.length);
  return squares.map((square, j) => Math.max(LEAST_SPREAD, Math.sqrt(Math.max(0, square / n - ((sums[j] as number) / n) ** 2))));
}

/** From a few people to all of them, in equal steps of the logarithm. */
function curveOf(measured: readonly Scored[], scores: readonly Float32Array[]): CurvePoint[] {
  const population = new Float32Array(scores.reduce((sum, part) => sum + part.length, 0));
  let filled = 0;
  for (const part of scores) {
    population.set(part, filled);
    filled += part.length;
  }
  population.sort();
  const most = population.length;
  const least = Math.min(most, Math.max(LEAST_SEEDS, Math.ceil(most / 1_000)));
  const others = Float64Array.from(
    measured.filter(({ isSeed }) => !isSeed),
    ({ score }) => score,
  ).sort();
  const sizes = Array.from({ length: POINTS }, (_, n) => Math.round(least * (most / least) ** (n / (POINTS - 1))));
  return [...new Set(sizes)].map((size) => {
    const share = size / most;
    // The score that this share of the others have who were kept from the models.
    const threshold = others[Math.max(0, others.length - Math.max(1, Math.round(share * others.length)))] as number;
    const recall = recallAt(measured, threshold);
    const lift = { value: recall.value / share, lo: recall.lo / share, hi: recall.hi / share };
    return { size, similarity: digits(population[most - size] as number), lift: rounded(lift), recall: rounded(recall) };
  });
}

function recallAt(measured: readonly Scored[], threshold: number) {
  const households = new Map<number, { m: number; y: number }>();
  for (const { household, score, isSeed } of measured) {
    if (!isSeed) continue;
    const { m, y } = households.get(household) ?? { m: 0, y: 0 };
    households.set(household, { m: m + 1, y: y + (score >= threshold ? 1 : 0) });
  }
  const sum = (of: (household: { m: number; y: number }) => number): number =>
    [...households.values()].reduce((all, one) => all + of(one), 0);
  const seeds = {
    households: households.size,
    people: sum(({ m }) => m),
    peopleSquared: sum(({ m }) => m * m),
    hits: sum(({ y }) => y),
    hitsSquared: sum(({ y }) => y * y),
    hitsTimesPeople: sum(({ m, y }) => m * y),
  };
  return { value: seeds.hits / seeds.people, ...clusterInterval(seeds, Number.MAX_SAFE_INTEGER) };
}

const digits = (n: number): number => Math.round(n * 10_000) / 10_000;
const rounded = ({ value, lo, hi }: { value: number; lo: number; hi: number }) => ({
  value: digits(value),
  lo: digits(lo),
  hi: digits(hi),
});

function strongest({ weights }: Logistic, { names }: Vocabulary): LookalikeFit['weights'] {
  return [...weights]
    .map((weight, j) => ({ feature: names[j] as string, weight: digits(weight) }))
    .filter(({ weight }) => weight !== 0)
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight))
    .slice(0, TOLD_WEIGHTS);
}

/** What is left of look-alikes that are gone. */
async function forgetDeleted({ warehouse, things }: Deps): Promise<void> {
  for (const { id } of things.list('lookalike-fit'))
    if (things.get('lookalike', id) === undefined) await things.remove('lookalike-fit', id, BY);
  const models = things.list('lookalike').map(({ id }) => id);
  const gone = 'model NOT IN {models:Array(String)}';
  const [row] = await warehouse.query<{ n: string }>({
    sql: `SELECT count() AS n FROM lookalike_scores WHERE ${gone}`,
    params: { models },
  });
  if (Number(row?.n ?? 0) > 0) await warehouse.command({ sql: `DELETE FROM lookalike_scores WHERE ${gone}`, params: { models } });
}

/** Look-alikes that were never fitted, were changed since, or whose time has come. */
export function dueLookalikes({ things, now }: Pick<Deps, 'things' | 'now'>): string[] {
  return things.list('lookalike').flatMap(({ id, updatedAt, body }) => {
    const at = things.get('lookalike-fit', id)?.body.at;
    return at === undefined || at < updatedAt || at + body.refitHours * 3_600_000 <= now() ? [id] : [];
  });
}
