import { isWithin, minuteOfWeek, type WeekSpans, zoneOffset } from '../../proto/hours.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import type { LiveExchange, Targeting } from '../../proto/snapshot.ts';
import { type SupplyLists, screenSupply } from '../supply.ts';
import type { Question } from './question.ts';

/** Terms that cost more than a look-up: asked only when a line item gets there, once a request. Many line items share one. */
export type LateTerm =
  | { readonly kind: 'hours'; readonly spans: WeekSpans; readonly zone: string }
  | { readonly kind: 'osVersions'; readonly range: NonNullable<Targeting['osVersions']> }
  | { readonly kind: 'supply'; readonly rule: LiveExchange['supply'] };

/** Null where it holds. */
export function failureOfLate(term: LateTerm, { request, now }: Question, lists: SupplyLists): NoBidReason | null {
  const { device } = request;
  switch (term.kind) {
    case 'hours': {
      const offset = device.utcoffset ?? zoneOffset(term.zone, now);
      return isWithin(term.spans, minuteOfWeek(now, offset)) ? null : 'daypart';
    }
    case 'osVersions':
      return isVersionIn(device.osv, term.range) ? null : 'unsupported_device';
    case 'supply':
      return screenSupply(term.rule, request, lists);
  }
}

export function isVersionIn(version: string, { from, below }: NonNullable<Targeting['osVersions']>): boolean {
  const numbers = numbersOf(version);
  if (numbers === null) return false;
  const least = from === null ? null : numbersOf(from);
  const end = below === null ? null : numbersOf(below);
  return (least === null || compare(numbers, least) >= 0) && (end === null || compare(numbers, end) < 0);
}

/** "10.15.7" → 10, 15, 7; "14_2" too. Null where it does not begin with a number. */
function numbersOf(version: string): number[] | null {
  const found = /^\d+(?:[._]\d+)*/.exec(version.trim());
  return found === null ? null : found[0].split(/[._]/).map(Number);
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
