import type { NoBidReason } from '../../proto/no-bid.ts';
import { FLAGS, HEAD_WORDS, PARTS, type Part, PERSONAL } from './clauses.ts';
import type { Index } from './index.ts';
import { VALUE_PARTS } from './named-parts.ts';
import { STATE_REASONS } from './person.ts';
import { REASONS } from './reason.ts';
import { ROW_REASONS } from './rows.ts';

/** One thing about a line item that does not hold. */
export interface Failure {
  readonly reason: NoBidReason;
  readonly part: Part | 'live' | 'flight' | 'childSafe' | 'geofences' | 'person' | 'openStoresOnly';
}

/** Parts that are asked after the person. */
const LAST_PARTS: ReadonlySet<Part> = new Set(['segments', 'excludedSegments', 'segmentRule', 'userData', 'eids', 'deals']);

/** What of a line item does not hold for the request that has begun, in the order in which it is asked; `all`: everything, else the first. */
export function failuresOf(index: Index, position: number, all: boolean): Failure[] {
  const { rows, marks, here, question, forbidden } = index.match;
  const { start, end, flags, clauseStart, clauses } = index.sections;
  const { now, childOnly, person } = question;
  const flag = flags[position] as number;
  const failures: Failure[] = [];
  const askPerson = (): void => {
    if ((flag & forbidden) !== 0) failures.push({ reason: STATE_REASONS[person.state], part: 'person' });
  };
  if (!rows.isLive(position)) failures.push({ reason: 'no_line_item', part: 'live' });
  if (flag & FLAGS.fenced && !here.holds(position)) failures.push({ reason: here.awayOf(position), part: 'geofences' });
  if (!all && failures.length > 0) return failures;
  addRowFailures(index, position, true, failures);
  if (now < (start[position] as number) || now >= (end[position] as number)) failures.push({ reason: 'flight', part: 'flight' });
  if (childOnly && !rows.isChildSafe(position)) failures.push({ reason: 'privacy', part: 'childSafe' });
  addRowFailures(index, position, false, failures);
  if (!all && failures.length > 0) return failures;
  let askedPerson = false;
  const last = clauseStart[position + 1] as number;
  for (let at = clauseStart[position] as number; at < last; at += HEAD_WORDS + (clauses[at + 1] as number)) {
    const head = clauses[at] as number;
    const reason = REASONS[(head >>> 8) & 255] as NoBidReason;
    const part = PARTS[head >>> 16] as Part;
    if (!askedPerson && LAST_PARTS.has(part)) {
      askedPerson = true;
      askPerson();
      if (!all && failures.length > 0) return failures;
    }
    if ((head & PERSONAL && forbidden !== 0) || marks.hold(at)) continue;
    failures.push({ reason: part === 'supply' ? supplyReason(index, at) : reason, part });
    if (!all && failures.length > 0) return failures;
  }
  if (!askedPerson) askPerson();
  if (flag & FLAGS.openStoresOnly && index.match.offerOf(position) === null)
    failures.push({ reason: 'store_closed', part: 'openStoresOnly' });
  return failures;
}

function addRowFailures({ meta, match }: Index, position: number, exchange: boolean, failures: Failure[]): void {
  for (let i = 0; i < meta.dimensions.length; i++) {
    const { name } = meta.dimensions[i] as (typeof meta.dimensions)[number];
    if ((name === 'exchange') !== exchange || match.rows.isInRow(i, position)) continue;
    failures.push({ reason: ROW_REASONS[name], part: VALUE_PARTS[name] });
  }
}

function supplyReason({ sections, match }: Index, at: number): NoBidReason {
  return REASONS[match.marks.lateFailure(sections.clauses[at + HEAD_WORDS] as number) - 1] as NoBidReason;
}
