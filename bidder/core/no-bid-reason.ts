import type { NoBidReason } from '../../proto/no-bid.ts';
import type { Imp } from '../openrtb/request.ts';
import { choiceOf } from './choice.ts';
import type { Match } from './match.ts';
import { furtherOf, numberOf } from './reason.ts';
import type { Round } from './round.ts';
import { countAt } from './stock.ts';
import type { Way } from './ways.ts';
import { failuresOf } from './why-not.ts';

/** Line items that are looked at, that are asked why, and that are tried on all imps, at most. */
interface Effort {
  readonly reached: number;
  readonly asked: number;
  readonly tried: number;
  /** Tell what is known of a line item without making it, instead of trying it. */
  readonly brief: boolean;
}

/**
 * To find the reason of a no-bid took as long as to find that nothing is bid, so where there are many line items it is looked for
 * thoroughly at one no-bid of eight.
 */
const THOROUGH: Effort = { reached: 24, asked: 8, tried: 4, brief: false };
const BRIEF: Effort = { reached: 8, asked: 2, tried: 1, brief: true };
export const MANY = 1_000;
const THOROUGH_EVERY = 8;
/** Postings of a term that are looked at. */
const POSTED_SAMPLE = 4;

/** Of the present request; few. */
const candidates: number[] = [];

/**
 * Why nothing is bid: the furthest reason of line items that came far. First those that only a floor kept from being looked at; where
 * there are none, why the others were not offered.
 */
export function furthestReason(round: Round): NoBidReason {
  const { match, meta } = round.index;
  const effort = meta.size < MANY || round.turn % THOROUGH_EVERY === 0 ? THOROUGH : BRIEF;
  let reason = furtherOf(round.reason, match.here.away ?? 'no_line_item');
  if (isFurthest(reason)) return reason;
  let tried = 0;
  const reached = reachedBy(round, effort.reached);
  for (let i = 0; i < reached.length && tried < effort.tried; i++) {
    const position = reached[i] as number;
    if (!match.mayOffer(position)) continue;
    tried++;
    reason = furtherOf(reason, reasonOf(round, position, effort));
    if (isFurthest(reason)) return reason;
  }
  // Who was offered came further than all to whom nothing leads.
  if (tried > 0 && meta.broad === 0) return reason;
  if (tried === 0)
    for (let i = 0; i < reached.length && i < effort.asked; i++) reason = furtherOf(reason, whyNot(round, reached[i] as number));
  if (meta.broad + meta.posted === 0) return reason;
  candidates.length = 0;
  match.rows.findUnbound(effort.asked, candidates);
  if (candidates.length === 0) return furtherOf(reason, match.rows.reason(round.question.childOnly));
  for (let i = 0; i < candidates.length && !isFurthest(reason); i++) {
    const position = candidates[i] as number;
    reason = furtherOf(reason, match.mayOffer(position) ? reasonOf(round, position, effort) : whyNot(round, position));
  }
  return reason;
}

/**
 * Line items that something led to, dearest first within each way: those here, then those of each true term. Few, whatever the size of the
 * index; what the windows left behind included.
 */
function reachedBy({ index }: Round, most: number): readonly number[] {
  const { here, marks } = index.match;
  const { postings } = index.sections;
  candidates.length = 0;
  for (let at = 0; at < here.count && candidates.length < most; at++) candidates.push(here.positionAt(at));
  for (let list = 0; list < marks.ends.length && candidates.length < most * 2; list++) {
    const start = marks.starts.at(list);
    const end = Math.min(marks.ends.at(list), start + POSTED_SAMPLE);
    for (let at = start; at < end; at++) candidates.push(postings[at] as number);
  }
  return candidates;
}

/** Why a line item was not offered. */
function whyNot({ index }: Round, position: number): NoBidReason {
  const failure = failuresOf(index, position, false)[0];
  if (failure === undefined) return 'no_line_item';
  if (!index.match.isCounted(position)) countAt(index, position, numberOf(failure.reason));
  return failure.reason;
}

/** How far a line item comes that may be offered. */
function reasonOf(round: Round, position: number, { brief }: Effort): NoBidReason {
  const known = brief ? knownOf(round.index.match, position) : null;
  const reason = known ?? furthestOf(round, position);
  if (reason !== 'store_closed') countAt(round.index, position, numberOf(reason));
  return reason;
}

/**
 * What rows and order of prices tell: that no creative fits any imp, or that its price is below all floors. Null where it was tried, or
 * pays less for the way to its store.
 */
function knownOf({ rows, limit }: Match, position: number): NoBidReason | null {
  if (!rows.isShaped(position)) return 'no_creative';
  return position >= limit ? 'below_floor' : null;
}

/** Of all imps and ways. */
function furthestOf(round: Round, position: number): NoBidReason {
  const offer = round.index.match.offerOf(position);
  if (offer === null) return 'store_closed';
  let reason: NoBidReason = 'no_line_item';
  for (let at = 0; at < round.ways.length; at++)
    for (const way of round.ways[at] as readonly Way[]) {
      const why = choiceOf(round, round.question.request.imps[at] as Imp, way, offer);
      if (typeof why === 'string') reason = furtherOf(reason, why);
    }
  return reason;
}

/** No line item that could not be bid came further than to its price. */
function isFurthest(reason: NoBidReason): boolean {
  return reason === 'below_floor' || reason === 'budget';
}
