import { hourOf, visitMemberships } from '../../proto/profile.ts';

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
