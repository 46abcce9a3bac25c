import type { Binder } from './binder.ts';
import { between, DAY_MS } from './conditions.ts';
import { type Bounds, MOST_DAYS } from './members.ts';
import type { Compiler, FactsPlan } from './plan.ts';

/** What is asked of the rows of a leaf: aggregates of a unit, and what must hold of them. */
export interface Measure {
  readonly aggregates: readonly string[];
  holds(columns: readonly string[]): string;
  /** Where it asks only whether there is a row. */
  readonly whether?: FactsPlan['whether'];
}

/** All measures must hold; without any there must be a row. */
export function planOfMeasures(rows: string, given: readonly Measure[], edges: FactsPlan['edges']): FactsPlan {
  const measures = given.length === 0 ? [someRow(rows)] : given;
  return {
    rows,
    edges,
    ...(measures.length === 1 && measures[0]?.whether !== undefined ? { whether: measures[0].whether } : {}),
    measures: measures.flatMap(({ aggregates }) => aggregates),
    holds: (columns) => {
      let next = 0;
      const parts = measures.map(({ aggregates, holds }) => {
        const own = columns.slice(next, next + aggregates.length);
        next += own.length;
        return holds(own);
      });
      return `(${parts.join(' AND ')})`;
    },
  };
}

export function someRow(rows: string): Measure {
  return { aggregates: [`countIf(${rows})`], holds: ([count]) => `${count} > 0`, whether: { rows, there: true } };
}

/** How many rows. */
export function counted(rows: string, bounds: Bounds, bound: Binder): Measure {
  return { ...measured(`countIf(${rows})`, bounds, bound), ...whether(rows, bounds) };
}

/** Of a number of something: bounds that ask only whether it is 0. */
export function whether(rows: string, { min = 0, max = Number.POSITIVE_INFINITY }: Bounds): Pick<Measure, 'whether'> {
  if (min > 0 && min <= 1 && max === Number.POSITIVE_INFINITY) return { whether: { rows, there: true } };
  return min <= 0 && max >= 0 && max < 1 ? { whether: { rows, there: false } } : {};
}

/** An aggregate that is 0 where there is no row. */
export function measured(aggregate: string, bounds: Bounds, bound: Binder): Measure {
  return { aggregates: [aggregate], holds: ([value]) => `(${between(value as string, bounds, bound)})` };
}

/** How many different values: whether there is any is the cheapest to ask, and to count no further than the bounds cheaper than all. */
export function different(expression: string, rows: string, bounds: Bounds, bound: Binder): Measure {
  const { min = -1, max = Number.POSITIVE_INFINITY } = bounds;
  const onlyWhether = min <= 1 && (max === Number.POSITIVE_INFINITY || max < 1);
  if (onlyWhether) return { ...measured(`toUInt8(countIf(${rows}) > 0)`, bounds, bound), ...whether(rows, bounds) };
  // What is beyond is told as one more, which is outside of the bounds as the true number is. A third of what uniqExact takes.
  const upTo = Math.ceil(Math.max(min, max === Number.POSITIVE_INFINITY ? 1 : max, 1));
  return measured(
    upTo <= MOST_UP_TO ? `uniqUpToIf(${upTo})(${expression}, ${rows})` : `uniqExactIf(${expression}, ${rows})`,
    bounds,
    bound,
  );
}

/** `uniqUpTo` keeps what it counts as a list. */
export const MOST_UP_TO = 32;

/** Days since the first or the last row; without a row no bound holds. At least n is the opposite of at most n. */
export function age(of: 'first' | 'last', rows: string, { min, max }: Bounds, { bound, scope }: Compiler): Measure {
  const newest = (days: number): string => bound.time(scope.now - Math.round(days * DAY_MS));
  return {
    aggregates: [`countIf(${rows})`, `${of === 'first' ? 'min' : 'max'}If(at, ${rows})`],
    holds: ([count, at]) =>
      `(${[
        `${count} > 0`,
        ...(min === undefined ? [] : [`${at} <= ${newest(min)}`]),
        ...(max === undefined ? [] : [`${at} > ${newest(max)}`]),
      ].join(' AND ')})`,
  };
}

/** Ages in ms at which `first` and `last` change by themselves. No fact comes to one that is older than any, which old rules may hold. */
export function edgesOfAges(...ages: readonly (Bounds | undefined)[]): number[] {
  return ages
    .flatMap((bounds) => [bounds?.min, bounds?.max])
    .flatMap((days) => (days === undefined || Math.abs(days) > MOST_DAYS ? [] : [Math.round(days * DAY_MS)]));
}
