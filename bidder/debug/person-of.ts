import type { DebugBid, DebugBidAnswer, DebugProfile } from '../../proto/debug.ts';
import { encodeProfile, hourOf } from '../../proto/profile.ts';
import { NOBODY, type Person, WITHHELD } from '../core/person.ts';
import type { BidRequest } from '../openrtb/request.ts';
import { identifiersOf } from '../person-keys.ts';
import type { Permission } from '../privacy.ts';
import type { Users } from '../users.ts';

interface Answered {
  readonly person: Person;
  readonly source: DebugBidAnswer['person']['source'];
}

/** Patience for the store, ms: nobody waits for this answer but its asker. */
const PATIENCE_MS = 500;
/** Of a person who is made up: nobody's. */
const ANCHOR = '00000000-0000-0000-0000-000000000000';

/** Who a debugged request is about: as given, as read, or somebody without a profile. Privacy decides first, as in an auction. */
export function createPersonOf(users: Users, pepper: string) {
  return async (question: DebugBid, request: BidRequest, permission: Permission, now: number): Promise<Answered> => {
    const { profile: given, readsProfile } = question;
    if (permission.caps === null && !permission.profile) return { person: WITHHELD, source: 'assumed' };
    const { exchange } = question;
    const asking = { exchange, pepper, permission, now, deadline: performance.now() + PATIENCE_MS };
    const identifiers = identifiersOf(request, exchange, pepper, permission, now);
    if (given !== null && permission.profile)
      return { person: knownPerson(given, identifiers[0] ?? ANCHOR, now), source: 'given' };
    if (readsProfile) return { person: await users.read(request, asking), source: 'read' };
    if (identifiers.length === 0) return { person: permission.profile ? NOBODY : WITHHELD, source: 'assumed' };
    const state = permission.profile ? 'unknown' : 'counted';
    return { person: { ...NOBODY, state, anchor: identifiers[0] as string }, source: 'assumed' };
  };
}

/** A person with these segments, who has seen nothing yet. */
function knownPerson({ segments }: DebugProfile, anchor: string, now: number): Person {
  const hour = hourOf(now);
  const memberships = [...new Map(segments.map((entry) => [entry.segment, entry])).values()]
    .sort((a, b) => a.segment - b.segment)
    .map(({ segment, hours }) => ({ segment, since: hours === null ? null : hour - hours, until: hour + 1 }));
  const value = encodeProfile({ profile: 0, anchor, consent: 0, hour, memberships });
  return { ...NOBODY, state: 'known', anchor, memberships: [value] };
}
