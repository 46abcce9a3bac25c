import { both, edgesOf, within } from './conditions.ts';
import type { Window } from './members.ts';
import type { Compiler, FactsPlan } from './plan.ts';

/** One thing after another. Conditions over `facts` without a window; gaps in ms. */
export interface Chain {
  readonly steps: readonly ChainStep[];
  /** What must not follow the last step: within the gap, which must have passed, or ever until now. */
  readonly unless: { readonly rows: string; readonly gap: number | null } | null;
  /** Of the steps. */
  readonly window: Window | undefined;
}

export interface ChainStep {
  readonly rows: string;
  /** The most that may lie between it and the step before; of the first step null. */
  readonly gap: number | null;
  /** What must not be between it and the step before, both ends not included; of the first step null. */
  readonly without: string | null;
}

/** An entry of the list that is folded is its time in ms and, in the last 4 bits, what it is: so many steps and exclusions there may be. */
export const MOST_STEPS = 8;
const BITS = 4;
/** Before all times; a time less it is still exact. */
const NEVER = -(2 ** 52);
/** Of the entry x. */
const TIME = 'x.1';
const CODE = 'x.2';

/**
 * Whether there is a chain of facts, each strictly later than the one before, that fits. Of all chains that reach a step by some time only the
 * one that reached it last matters: the gap to the next step is the least after it, and what lies between as well. So one walk in the
 * order of time does, with the last time of each step and of each exclusion. Of what happens at the same ms nothing is later: later steps
 * are looked at before the earlier ones, exclusions after all.
 *
 * What must not follow is seen between two such facts from the first chain that ended since: it has the longest rest before the next.
 */
export function planOfChain(chain: Chain, compiler: Compiler): FactsPlan {
  return planOfExtremes(chain, compiler) ?? planOfWalk(chain, compiler);
}

/**
 * Two steps with nothing more asked, or one that nothing followed: the first and the last time tell. Half the time of a walk and more, as
 * no list of times is kept. Null: it is another chain.
 */
function planOfExtremes({ steps, unless, window }: Chain, compiler: Compiler): FactsPlan | null {
  const [first, second] = steps as [ChainStep, ChainStep | undefined];
  const sofar = `at <= ${compiler.bound.time(compiler.scope.now)}`;
  const inWindow = (rows: string): string => both(rows, within(window, compiler), window?.days === undefined ? sofar : '');
  const edges = [...new Set([0, ...edgesOf(window)])];
  const planOf = (a: string, b: string, of: readonly ['min' | 'max', 'min' | 'max'], holds: FactsPlan['holds']): FactsPlan => ({
    measures: [`countIf(${a})`, `countIf(${b})`, `${of[0]}If(at, ${a})`, `${of[1]}If(at, ${b})`],
    rows: `(${a}) OR (${b})`,
    edges,
    holds,
  });
  if (second === undefined && unless?.gap === null)
    return planOf(
      inWindow(first.rows),
      both(unless.rows, sofar),
      ['max', 'max'],
      ([some, followed, last, newest]) => `(${some} > 0 AND (${followed} = 0 OR ${last} >= ${newest}))`,
    );
  if (steps.length !== 2 || unless !== null || second?.gap !== null || second.without !== null) return null;
  return planOf(
    inWindow(first.rows),
    inWindow(second.rows),
    ['min', 'max'],
    ([some, others, oldest, newest]) => `(${some} > 0 AND ${others} > 0 AND ${oldest} < ${newest})`,
  );
}

function planOfWalk({ steps, unless, window }: Chain, compiler: Compiler): FactsPlan {
  const { bound, scope } = compiler;
  const int = (value: number): string => bound.add('Int64', value);
  const sofar = `at <= ${bound.time(scope.now)}`;
  const conditions: string[] = [];
  /** Code of what an entry is → its place among the measures. */
  const entryOf = (rows: string): number => conditions.push(rows) - 1;

  const unlessCode = unless === null ? null : entryOf(both(unless.rows, sofar));
  // Later steps first.
  const stepCodes = steps.map(() => 0);
  for (let n = steps.length - 1; n >= 0; n--) {
    const rows = (steps[n] as ChainStep).rows;
    stepCodes[n] = entryOf(both(rows, within(window, compiler), window?.days === undefined ? sofar : ''));
  }
  const blocked = steps.map(({ without }) => (without === null ? null : entryOf(both(without, sofar))));

  // The state: the last time of each step, then of each exclusion, then since when a chain rests, and whether one has rested enough.
  const state: string[] = [];
  const place = (): string => `s.${state.push('')}`;
  const last = steps.map(place);
  const seen = blocked.map((code) => (code === null ? null : place()));
  const rest = unless === null ? null : place();
  const done = unless === null || unless.gap === null ? null : place();
  const set = (name: string, expression: string): void => {
    state[Number(name.slice(2)) - 1] = expression;
  };

  const never = int(NEVER);
  const reached = steps.map(({ gap }, n) => {
    const before = n === 0 ? '' : (last[n - 1] as string);
    return both(
      `${CODE} = ${stepCodes[n]}`,
      before === '' ? '' : `${before} > ${never}`,
      before === '' || gap === null ? '' : `${TIME} - ${before} <= ${int(gap)}`,
      before === '' || seen[n] === null ? '' : `${seen[n]} <= ${before}`,
    );
  });
  for (const [n, name] of last.entries()) set(name, `if(${reached[n]}, ${TIME}, ${name})`);
  for (const [n, name] of seen.entries()) if (name !== null) set(name, `if(${CODE} = ${blocked[n]}, ${TIME}, ${name})`);
  if (rest !== null)
    set(rest, `multiIf(${CODE} = ${unlessCode}, ${never}, ${rest} = ${never} AND ${reached.at(-1)}, ${TIME}, ${rest})`);
  if (rest !== null && done !== null)
    set(
      done,
      `if(${CODE} = ${unlessCode} AND ${rest} > ${never} AND ${TIME} - ${rest} > ${int(unless?.gap ?? 0)}, toInt64(1), ${done})`,
    );

  const isChain =
    rest === null
      ? `${last.at(-1)} > ${never}`
      : done === null
        ? `${rest} > ${never}`
        : `${done} = 1 OR ${rest} > ${never} AND ${rest} + ${int(unless?.gap ?? 0)} <= ${int(scope.now)}`;
  const start = state.map((_, n) => (`s.${n + 1}` === done ? 'toInt64(0)' : never));

  return {
    measures: conditions.map((rows) => `groupArrayIf(toUnixTimestamp64Milli(at), ${rows})`),
    rows: conditions.map((rows) => `(${rows})`).join(' OR '),
    edges: [...new Set([0, ...edgesOf(window), ...(unless?.gap == null ? [] : [unless.gap])])],
    holds: (columns) => {
      const entries = columns.map((times, code) => `arrayMap(t -> bitShiftLeft(t, ${BITS}) + ${code}, ${times})`);
      const all = stepCodes.map((code) => `notEmpty(${columns[code]})`).join(' AND ');
      const sorted = `arraySort(if(${all}, arrayConcat(${entries.join(', ')}), CAST([], 'Array(Int64)')))`;
      const pairs = `arrayMap(x -> (bitShiftRight(x, ${BITS}), bitAnd(x, ${2 ** BITS - 1})), ${sorted})`;
      return `arrayMap(s -> ${isChain}, [arrayFold((s, x) -> tuple(${state.join(', ')}), ${pairs}, tuple(${start.join(', ')}))])[1]`;
    },
  };
}
