import type { Binder } from './binder.ts';
import { between, both, DAY_MS } from './conditions.ts';
import { type Measure, MOST_UP_TO, whether } from './measures.ts';
import type { Bounds } from './members.ts';
import type { Money } from './money.ts';

/** Lines of receipts to measure: those that fit, as they are read, or of these only the ones whose receipt fits. */
export interface Lines {
  /** How many different values; empty ones are none. */
  different(column: 'once' | 'day' | 'place' | 'product' | 'brand', bounds: Bounds, bound: Binder): Measure;
  /** @param unit what 1 of the bounds is in the column */
  sum(column: 'amount' | 'thousandths', unit: number, bounds: Bounds, bound: Binder): Measure;
  /** Of the receipts' totals in money; without a receipt no bound holds. */
  ofReceipts(value: (totals: string) => string, bounds: Bounds, bound: Binder): Measure;
  /** Days since the first (min) or the last (max); without a line no bound holds. At least n is the opposite of at most n. */
  age(of: 'min' | 'max', bounds: Bounds, now: number, bound: Binder): Measure;
}

/** What is kept of a line, in this order. */
const COLUMNS = ['once', 'day', 'place', 'product', 'brand', 'at', 'thousandths', 'amount', 'known'] as const;
type Column = (typeof COLUMNS)[number];

interface Aggregate {
  /** The lines that it is of, where these are rows as they are read. */
  readonly rows?: string;
  readonly aggregates: readonly string[];
  value(columns: readonly string[]): string;
}

/** An aggregate function over arguments (texts made of columns) of the lines that meet a condition. */
type Aggregator = (
  fn: string,
  args: (column: (name: Column) => string) => readonly string[],
  only?: (column: (name: Column) => string) => string,
) => Aggregate;

export function linesAsRead(condition: string, money: Money): Lines {
  const column = (name: Column): string => expressionOf(name, money);
  return linesBy((fn, args, only) => ({
    rows: both(condition, only?.(column) ?? ''),
    aggregates: [`${fn.replace(/^\w+/, '$&If')}(${[...args(column), `${both(condition, only?.(column) ?? '')}`].join(', ')})`],
    value: ([value]) => value as string,
  }));
}

/**
 * @param wanted conditions: the receipt must have a line of each
 * @param unwanted conditions: the receipt must have a line of none
 */
export function linesOfReceipts(condition: string, money: Money, wanted: readonly string[], unwanted: readonly string[]): Lines {
  const kept = COLUMNS.map((name) => expressionOf(name, money)).join(', ');
  const column = (name: Column): string => `l.${COLUMNS.indexOf(name) + 1}`;
  const fits = [...wanted, ...unwanted].map(
    (basket, n) => `${n < wanted.length ? '' : 'NOT '}has(groupUniqArrayIf(once, ${basket}), ${column('once')})`,
  );
  // The same for all measures of the leaf: made once.
  const chosen = `arrayFilter(l -> ${both(...fits)}, groupArrayIf((${kept}), ${condition}))`;
  return linesBy((fn, args, only) => ({
    aggregates: [chosen],
    value: ([lines]) => {
      const narrowed = only === undefined ? lines : `arrayFilter(l -> ${only(column)}, ${lines})`;
      return `arrayReduce('${fn}', ${args(column)
        .map((arg) => `arrayMap(l -> ${arg}, ${narrowed})`)
        .join(', ')})`;
    },
  }));
}

function linesBy(over: Aggregator): Lines {
  const bounded = ({ aggregates, value }: Aggregate, bounds: Bounds, bound: Binder, scale = ''): Measure => ({
    aggregates,
    holds: (columns) => `(${between(`${value(columns)}${scale}`, bounds, bound)})`,
  });
  return {
    different: (name, bounds, bound) => {
      const only = ['place', 'product', 'brand'].includes(name)
        ? (column: (of: Column) => string) => `${column(name)} != ''`
        : undefined;
      const { min = -1, max = Number.POSITIVE_INFINITY } = bounds;
      // Whether there is any is cheaper asked than how many.
      const onlyWhether = min <= 1 && (max === Number.POSITIVE_INFINITY || max < 1);
      // What is beyond is told as one more, which is outside of the bounds as the true number is.
      const upTo = Math.ceil(Math.max(min, max === Number.POSITIVE_INFINITY ? 1 : max, 1));
      if (!onlyWhether)
        return bounded(
          over(upTo <= MOST_UP_TO ? `uniqUpTo(${upTo})` : 'uniqExact', (column) => [column(name)], only),
          bounds,
          bound,
        );
      const any = over('count', (column) => [column('once')], only);
      const least = bounded({ ...any, value: (columns) => `least(${any.value(columns)}, 1)` }, bounds, bound);
      return any.rows === undefined ? least : { ...least, ...whether(any.rows, bounds) };
    },
    sum: (name, unit, bounds, bound) =>
      bounded(
        over('sum', (column) => [column(name)]),
        bounds,
        bound,
        unit === 1 ? '' : ` / ${unit}`,
      ),
    ofReceipts: (value, bounds, bound) => {
      // The third argument keeps receipts of 0, which the function leaves out where all of its values are 0.
      const sums = over(
        'sumMap',
        (column) => [`[${column('once')}]`, `[${column('amount')}]`, '[toInt64(1)]'],
        (column) => column('known'),
      );
      return {
        aggregates: sums.aggregates,
        holds: (columns) => {
          const totals = `(${sums.value(columns)}).2`;
          return `(notEmpty(${totals}) AND ${between(value(totals), bounds, bound)})`;
        },
      };
    },
    age: (of, { min, max }, now, bound) => {
      const count = over('count', (column) => [column('once')]);
      const at = over(of, (column) => [column('at')]);
      const newest = (days: number): string => bound.time(now - Math.round(days * DAY_MS));
      return {
        aggregates: [...count.aggregates, ...at.aggregates],
        holds: (columns) => {
          const [counts, ats] = [columns.slice(0, count.aggregates.length), columns.slice(count.aggregates.length)];
          return `(${both(
            `${count.value(counts)} > 0`,
            min === undefined ? '' : `${at.value(ats)} <= ${newest(min)}`,
            max === undefined ? '' : `${at.value(ats)} > ${newest(max)}`,
          )})`;
        },
      };
    },
  };
}

function expressionOf(name: Column, { amount, known }: Money): string {
  if (name === 'amount') return amount;
  if (name === 'known') return `toUInt8(${known})`;
  // Sums of decimals must not depend on their order.
  if (name === 'thousandths') return 'toInt64(round(quantity * 1000))';
  return name;
}
