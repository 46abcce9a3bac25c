import type { IdentifierKind } from '../../proto/identifier.ts';
import { ADDRESSABLE_KINDS, keyIdentifier } from '../../proto/identifier.ts';
import { profileKey } from '../../proto/keys.ts';
import { olderPeppers } from '../../proto/pepper.ts';
import { hourOf, isOptedOut, isProfile, type MembershipVisitor, visitMemberships } from '../../proto/profile.ts';
import type { DmpDeps } from '../deps.ts';
import { readGuards } from '../segments/guards.ts';
import type { Things } from '../things/things.ts';
import { codesOf } from './formats.ts';

/** By which a visitor can be asked for: what profiles are published under. */
export const LOOKUP_KINDS = ADDRESSABLE_KINDS as readonly [IdentifierKind, ...IdentifierKind[]];

/** What an advertiser's pages may ask for, as it stands for some seconds. */
interface Offer {
  readonly at: number;
  /** Name of a segment there, by its number in profiles. */
  readonly codes: ReadonlyMap<number, Coded>;
}

export interface Coded {
  readonly segment: string;
  readonly code: string;
  /** Through which it is offered. */
  readonly destination: string;
}

/** Guard rails are looked at this often: a segment that shrank is told for so long at most. */
const OFFER_MS = 5_000;

export interface Lookup {
  /** The segments on offer that the visitor is in; none too where nothing may be told of them. */
  of(
    advertiser: string,
    identifiers: readonly { readonly kind: IdentifierKind; readonly value: string }[],
  ): Promise<readonly Coded[]>;
}

type Deps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'pepper' | 'now'>;

/** Answers out of the values that bidders read: one question to Redis. */
export function createLookup(deps: Deps): Lookup {
  const offers = new Map<string, Promise<Offer>>();
  const ready = new Map<string, Offer>();
  deps.things.onChange((kind) => {
    if (kind === 'destination' || kind === 'segment' || kind === 'source') ready.clear();
  });
  const renew = (advertiser: string): Promise<Offer> => {
    const running = offers.get(advertiser) ?? readOffer(deps, advertiser).finally(() => offers.delete(advertiser));
    offers.set(advertiser, running);
    return running.then((offer) => {
      ready.set(advertiser, offer);
      return offer;
    });
  };
  // Who has not come since a pepper was replaced is published under the one before.
  const peppers = [deps.pepper, ...olderPeppers(deps.pepper)];
  return {
    of: async (advertiser, identifiers) => {
      const known = ready.get(advertiser);
      const offer = known !== undefined && performance.now() - known.at < OFFER_MS ? known : await renew(advertiser);
      const keys = identifiers.flatMap((identifier) => peppers.flatMap((pepper) => keyIdentifier(identifier, pepper) ?? []));
      if (offer.codes.size === 0 || keys.length === 0) return [];
      const values = await deps.redis.mgetBuffer(...keys.map(profileKey));
      return membershipsIn(values, offer.codes, deps.now());
    },
  };
}

function membershipsIn(values: readonly (Buffer | null)[], codes: Offer['codes'], now: number): Coded[] {
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

/** Destinations of the kind that are active. */
export function lookupsOf(things: Things, advertiser: string | null) {
  return things
    .list('destination')
    .filter(({ body }) => body.kind === 'lookup' && body.status === 'active')
    .filter(({ body }) => advertiser === null || body.advertiser === advertiser);
}

async function readOffer({ warehouse, things }: Deps, advertiser: string): Promise<Offer> {
  const at = performance.now();
  const lookups = lookupsOf(things, advertiser);
  const ids = [...new Set(lookups.flatMap(({ body }) => body.segments.map(({ segment }) => segment)))];
  const guards = await readGuards(warehouse, things, ids, { purpose: 'personalised_ads', destination: 'lookup' });
  const codes = new Map<number, Coded>();
  for (const { id: destination, body } of lookups)
    for (const [segment, code] of codesOf(body.segments)) {
      const number = things.get('segment', segment)?.body.number;
      if (number !== undefined && guards.of(segment).state === 'ready') codes.set(number, { segment, code, destination });
    }
  return { at, codes };
}
