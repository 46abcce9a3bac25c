import type { Snapshot } from '../../proto/snapshot.ts';

const LONGEST_AGE_MS = 2 * 24 * 3_600_000;

/**
 * Units of `to` for one unit of `from`, or null where that is not known: rates are published for a day, and a price of two days
 * ago is a guess.
 */
export function rateOf(rates: Snapshot['rates'], from: string, to: string, now: number): number | null {
  if (from === to) return 1;
  if (rates === null || now - rates.at > LONGEST_AGE_MS) return null;
  const had = from === 'USD' ? 1 : rates.perUsd[from];
  const wanted = to === 'USD' ? 1 : rates.perUsd[to];
  return had === undefined || wanted === undefined ? null : wanted / had;
}
