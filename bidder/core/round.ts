import type { NoBidReason } from '../../proto/no-bid.ts';
import type { Index } from './index.ts';
import type { Question } from './question.ts';
import type { Way } from './ways.ts';

/** What the bids of one response have in common. */
export interface Round {
  readonly index: Index;
  readonly question: Question;
  readonly turn: number;
  /** By imp of the request. */
  readonly ways: readonly (readonly Way[])[];
  /** Of the response, once something is bid. */
  currency: string | null;
  /** About how long the answer is. */
  bytes: number;
  /** Seconds of spots that are bid for the present imp. */
  seconds: number;
  reason: NoBidReason;
}
