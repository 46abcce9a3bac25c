import type { Price } from './source.ts';

/** Impressions and media spend of one line item, store and UTC day, as far as they stood on the same sources. */
export interface Cell {
  readonly advertiser: string;
  readonly campaign: string;
  readonly lineItem: string;
  readonly store: string;
  /** yyyy-mm-dd */
  readonly day: string;
  /** False: outside of what is asked for; it only takes its part of a flat price. */
  readonly asked: boolean;
  readonly impressions: number;
  /** Micros that the exchanges billed. */
  readonly media: number;
  /** What it stands on, by source, with the prices that held. */
  readonly sources: ReadonlyMap<string, Price | null>;
  /** Segments in it that had a price of their own, by id. */
  readonly segments?: ReadonlyMap<string, Price>;
}

/** What one cell owes for one source, or for one segment by the segment's own price: the other of the two is empty. */
export interface Charge extends Omit<Cell, 'sources' | 'segments' | 'asked'> {
  readonly source: string;
  readonly segment: string;
  /** By which it is charged; null: nothing was asked for it. */
  readonly model: Price['model'] | null;
  readonly micros: number;
}

/** Flat price of a source on a UTC day, micros, with the day's part of it. */
export type FlatFees = ReadonlyMap<string, ReadonlyMap<string, number>>;

/**
 * What cells owe. Every charge is a whole number of micros, so that any sum of them is exact:
 * - cpm: impressions × price / 1000 of a cell, half a micro rounds up
 * - share: media × percent / 100 of a cell, the same
 * - flat: the day's part of the month's price, divided among the day's cells by their impressions without a rest
 */
export function chargesOf(cells: readonly Cell[], fees: FlatFees): Charge[] {
  const charges: Charge[] = [];
  const shares = flatShares(cells, fees);
  cells.forEach((cell, place) => {
    if (!cell.asked) return;
    const { sources, segments = new Map<string, Price>(), asked: _, ...rest } = cell;
    for (const [source, price] of sources) {
      const micros = price?.model === 'flat' ? (shares.get(source)?.get(place) ?? 0) : priceOf(price, cell);
      charges.push({ ...rest, source, segment: '', model: price?.model ?? null, micros });
    }
    for (const [segment, price] of segments)
      charges.push({ ...rest, source: '', segment, model: price.model, micros: priceOf(price, cell) });
  });
  return charges;
}

function priceOf(price: Price | null, { impressions, media }: Cell): number {
  switch (price?.model) {
    case 'cpm':
      return rounded(BigInt(impressions) * BigInt(price.micros ?? 0), 1_000n);
    case 'share':
      return rounded(BigInt(media) * BigInt(Math.round((price.percent ?? 0) * 100)), 10_000n);
    default:
      return 0;
  }
}

function rounded(amount: bigint, by: bigint): number {
  return Number((2n * amount + by) / (2n * by));
}

/** By source and place of the cell. */
function flatShares(cells: readonly Cell[], fees: FlatFees): Map<string, Map<number, number>> {
  const users = new Map<string, Map<string, number[]>>();
  cells.forEach(({ sources, day, impressions }, place) => {
    if (impressions === 0) return;
    for (const [source, price] of sources) {
      if (price?.model !== 'flat') continue;
      const days = users.get(source) ?? new Map<string, number[]>();
      users.set(source, days.set(day, [...(days.get(day) ?? []), place]));
    }
  });
  const shares = new Map<string, Map<number, number>>();
  for (const [source, days] of users) {
    const own = new Map<number, number>();
    shares.set(source, own);
    for (const [day, places] of days) {
      const fee = fees.get(source)?.get(day) ?? 0;
      const weights = places.map((place) => (cells[place] as Cell).impressions);
      divide(fee, weights).forEach((micros, index) => {
        own.set(places[index] as number, micros);
      });
    }
  }
  return shares;
}

/** Whole parts of an amount by weights, which add up to it: what is left over goes to the largest remainders, the first ones first. */
export function divide(amount: number, weights: readonly number[]): number[] {
  const total = BigInt(weights.reduce((sum, weight) => sum + weight, 0));
  if (total === 0n) return weights.map(() => 0);
  const exact = weights.map((weight) => BigInt(amount) * BigInt(weight));
  const parts = exact.map((part) => part / total);
  let left = BigInt(amount) - parts.reduce((sum, part) => sum + part, 0n);
  const order = exact
    .map((part, index) => ({ index, rest: part % total }))
    .sort((a, b) => (a.rest === b.rest ? a.index - b.index : a.rest > b.rest ? -1 : 1));
  for (const { index } of order) {
    if (left === 0n) break;
    parts[index] = (parts[index] as bigint) + 1n;
    left--;
  }
  return parts.map(Number);
}

/** The part of a month's price that falls on a UTC day; the days of a month add up to it. */
export function dayFee(monthly: number, day: string): number {
  const [year, month, date] = day.split('-').map(Number) as [number, number, number];
  const days = BigInt(new Date(Date.UTC(year, month, 0)).getUTCDate());
  const until = (n: number) => (BigInt(monthly) * BigInt(n)) / days;
  return Number(until(date) - until(date - 1));
}
