import type { NoBidReason } from '../../proto/no-bid.ts';
import { hourOf, visitMemberships } from '../../proto/profile.ts';
import { FLAGS } from './clauses.ts';

/** What is known of the person a request is about, as the decision needs it. */
export interface Person {
  /**
   * `known`: has a profile. `unknown`: named by an identifier, without a profile. `nobody`: the request names nobody.
   * `counted`: privacy allows to count impressions and no more. `withheld`: privacy forbids to ask. `unread`: the store did not
   * answer in time.
   */
  readonly state: 'known' | 'unknown' | 'nobody' | 'counted' | 'withheld' | 'unread';
  /** Key of the identifier that named the person, or ''; '' too where privacy forbids to name them. */
  readonly identifier: string;
  /** Anchor under which caps and buckets are kept, or ''. */
  readonly anchor: string;
  /**
   * Profile values as published, each of them whole (`isProfile`): one for each profile that the request's identifiers lead to. Read
   * by `visitMemberships`; a segment of several values counts once, with the youngest age.
   */
  readonly memberships: readonly Buffer[];
  /** Impressions by field of the caps hash. */
  readonly caps: ReadonlyMap<string, number>;
}

const NO_CAPS: ReadonlyMap<string, number> = new Map();

function blank(state: Person['state']): Person {
  return Object.freeze({ state, identifier: '', anchor: '', memberships: [], caps: NO_CAPS });
}

export const NOBODY = blank('nobody');
export const WITHHELD = blank('withheld');
export const UNREAD = blank('unread');

/**
 * Flags that a line item must not have. One with segments, caps or a holdout needs a person: without one it can neither be targeted nor
 * capped nor measured. Where the store was not read, a profile might exist under another anchor, so the bucket is unknown too. Caps alone
 * can be kept without knowing more of a person than a count. What a request tells of a person is used only where the person may be known.
 */
export const FORBIDDEN: Readonly<Record<Person['state'], number>> = {
  known: 0,
  unknown: 0,
  nobody: FLAGS.needsPerson,
  unread: FLAGS.needsPerson,
  counted: FLAGS.needsProfile | FLAGS.usesTold,
  withheld: FLAGS.needsPerson | FLAGS.usesTold,
};

/** Why a line item with such a flag does not bid. */
export const STATE_REASONS: Readonly<Record<Person['state'], NoBidReason>> = {
  known: 'segment',
  unknown: 'segment',
  nobody: 'unmatched_user',
  unread: 'storage',
  counted: 'privacy',
  withheld: 'privacy',
};

/** Field of the caps hash: impressions of a line item in the window that holds the time. */
export function capField(lineItem: string, windowMs: number, at: number): string {
  return `${lineItem}:${windowMs}:${Math.floor(at / windowMs)}`;
}

/** The segments that count at `now`. */
export function segmentsOf({ memberships }: Person, now: number): ReadonlySet<number> {
  const segments = new Set<number>();
  const visitor = { take: (segment: number): void => void segments.add(segment) };
  for (const value of memberships) visitMemberships(value, hourOf(now), now, visitor);
  return segments;
}
