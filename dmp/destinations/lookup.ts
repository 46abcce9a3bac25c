import type { Redis } from 'ioredis';
import type { IdentifierKind } from '../../proto/identifier.ts';
import { ADDRESSABLE_KINDS, keyIdentifier } from '../../proto/identifier.ts';
import { profileKey } from '../../proto/keys.ts';
import { olderPeppers } from '../../proto/pepper.ts';
import { hourOf, isOptedOut, isProfile, type MembershipVisitor, visitMemberships } from '../../proto/profile.ts';
import { Problem } from '../problem.ts';
import type { Coded, Codes, Offers } from './offer-sheet.ts';

/** By which a visitor can be asked for: what profiles are published under. */
export const LOOKUP_KINDS = ADDRESSABLE_KINDS as readonly [IdentifierKind, ...IdentifierKind[]];

/** No page waits longer for a Redis that hangs. */
const PATIENCE_MS = 2_000;

export interface LookupDeps {
  readonly redis: Redis;
  readonly pepper: string;
  readonly now: () => number;
  readonly offers: Offers;
}

export interface Lookup {
  /** The segments on offer that the visitor is in; none too where nothing may be told of them. */
  of(
    advertiser: string,
    identifiers: readonly { readonly kind: IdentifierKind; readonly value: string }[],
  ): Promise<readonly Coded[]>;
}

/** Answers out of the values that bidders read: one question to Redis. */
export function createLookup({ redis, pepper, now, offers }: LookupDeps, patienceMs = PATIENCE_MS): Lookup {
  // Who has not come since a pepper was replaced is published under the one before.
  const peppers = [pepper, ...olderPeppers(pepper)];
  return {
    of: async (advertiser, identifiers) => {
      const codes = await offers.codesOf(advertiser);
      const keys = identifiers.flatMap((identifier) => peppers.flatMap((pepper) => keyIdentifier(identifier, pepper) ?? []));
      if (codes.size === 0 || keys.length === 0) return [];
      return membershipsIn(await inTime(redis.mgetBuffer(...keys.map(profileKey)), patienceMs), codes, now());
    },
  };
}

async function inTime<T>(answer: Promise<T>, patienceMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const giveUp = (): void =>
      reject(new Problem(503, 'unavailable', 'Redis does not answer', { headers: { 'retry-after': '2' } }));
    // Where this process stood still itself, the answer is there and only has to be read.
    timer = setTimeout(() => setImmediate(giveUp), patienceMs);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

function membershipsIn(values: readonly (Buffer | null)[], codes: Codes, now: number): Coded[] {
  const known = values.filter((value): value is Buffer => value !== null && isProfile(value));
  if (known.some(isOptedOut)) return [];
  const found = new Set<Coded>();
  const visitor: MembershipVisitor = {
    take: (segment) => {
      const code = codes.get(segment);
      if (code !== undefined) found.add(code);
    },
  };
  for (const value of known) visitMemberships(value, hourOf(now), now, visitor);
  return [...found];
}
