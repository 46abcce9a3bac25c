import type { Micros } from '../../proto/money.ts';
import type { LiveStore } from '../../proto/snapshot.ts';
import { roundOf } from './decide.ts';
import type { Index } from './index.ts';
import type { Question } from './question.ts';
import type { Round } from './round.ts';
import { type Failure, failuresOf } from './why-not.ts';

/** A line item against a request, apart from what depends on the imp. */
export interface Explained {
  /** Everything that does not hold, not only the first; empty: it may be offered for the imps. */
  readonly failures: readonly Failure[];
  /** What it would show, and pay at most: micros of CPM in its currency. */
  readonly store: LiveStore | null;
  readonly metres: number | null;
  readonly price: Micros;
}

/**
 * Why a line item does not bid on a request, and what it would bid. Slow, nothing is counted; what shuts out all line items
 * (`screenAll` of decide) is not in it. An offer without failures is what `decide` tries on the imps.
 */
export function explain(index: Index, question: Question, position: number): Explained {
  return explainAt(roundOf(index, question), position);
}

/** The same for a request that has begun, of which many line items are asked. */
export function explainAt({ index }: Round, position: number): Explained {
  const { match } = index;
  const offer = match.offerOf(position) ?? match.offerOf(position, true);
  if (offer !== null && !offer.shown) match.show(offer);
  const price = offer?.price ?? 0;
  return { failures: failuresOf(index, position, true), store: offer?.store ?? null, metres: offer?.metres ?? null, price };
}
