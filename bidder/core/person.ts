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
  /** Ascending. */
  readonly segments: readonly number[];
  /** Impressions by field of the caps hash. */
  readonly caps: ReadonlyMap<string, number>;
}

const NO_CAPS: ReadonlyMap<string, number> = new Map();

function blank(state: Person['state']): Person {
  return Object.freeze({ state, identifier: '', anchor: '', segments: [], caps: NO_CAPS });
}

export const NOBODY = blank('nobody');
export const WITHHELD = blank('withheld');
export const UNREAD = blank('unread');

/** Field of the caps hash: impressions of a line item in the window that holds the time. */
export function capField(lineItem: string, windowMs: number, at: number): string {
  return `${lineItem}:${windowMs}:${Math.floor(at / windowMs)}`;
}

export function isInSegment(segments: readonly number[], segment: number): boolean {
  let low = 0;
  let high = segments.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const value = segments[middle] as number;
    if (value === segment) return true;
    if (value < segment) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}
