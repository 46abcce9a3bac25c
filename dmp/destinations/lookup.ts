import type { IdentifierKind } from '../../proto/identifier.ts';
import { ADDRESSABLE_KINDS, keyIdentifier } from '../../proto/identifier.ts';
import { profileKey } from '../../proto/keys.ts';
import { olderPeppers } from '../../proto/pepper.ts';
import { hourOf, isOptedOut, isProfile, type MembershipVisitor, visitMemberships } from '../../proto/profile.ts';
import type { DmpDeps } from '../deps.ts';
import { Problem } from '../problem.ts';
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

interface OfferLife {
  /** Guard rails are looked at this often. */
  readonly freshMs: number;
  /** Where ClickHouse is busy no page waits for it: a segment that shrank is told for so long at most. */
  readonly keptMs: number;
  /** No page waits longer for a Redis that hangs. */
  readonly patienceMs: number;
}

const LIFE: OfferLife = { freshMs: 5_000, keptMs: 60_000, patienceMs: 2_000 };
/** Offers that were asked for are looked at by themselves, so that whoever comes to a quiet page does not wait either. */
const KEPT_WARM_MS = 3_600_000;
const WARM_MS = 1_000;

export interface Lookup {
  /** The segments on offer that the visitor is in; none too where nothing may be told of them. */
  of(
    advertiser: string,
    identifiers: readonly { readonly kind: IdentifierKind; readonly value: string }[],
  ): Promise<readonly Coded[]>;
  close(): void;
}

type Deps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'pepper' | 'now' | 'log'>;

/** Answers out of the values that bidders read: one question to Redis. */
export function createLookup(deps: Deps, life: Partial<OfferLife> = {}): Lookup {
  const { freshMs, keptMs, patienceMs } = { ...LIFE, ...life };
  const offers = new Map<string, Promise<Offer>>();
  const ready = new Map<string, Offer>();
  const asked = new Map<string, number>();
  let changes = 0;
  // What a change takes out of the offer is told to nobody from then on: who asks next waits for the new one.
  deps.things.onChange((kind) => {
    if (kind !== 'destination' && kind !== 'segment' && kind !== 'source') return;
    changes++;
    ready.clear();
    offers.clear();
  });
  const read = async (advertiser: string): Promise<Offer> => {
    const before = changes;
    try {
      const offer = await readOffer(deps, advertiser);
      if (before === changes) ready.set(advertiser, offer);
      return offer;
    } finally {
      if (before === changes) offers.delete(advertiser);
    }
  };
  const renew = (advertiser: string): Promise<Offer> => {
    const running = offers.get(advertiser) ?? read(advertiser);
    offers.set(advertiser, running);
    return running;
  };
  const renewBehind = (advertiser: string): void =>
    void renew(advertiser).catch((error: unknown) =>
      deps.log.warn({ err: error, advertiser }, 'what pages are told is not renewed'),
    );
  const offerOf = (advertiser: string): Offer | Promise<Offer> => {
    const at = performance.now();
    asked.set(advertiser, at);
    const known = ready.get(advertiser);
    if (known === undefined || at - known.at >= keptMs) return renew(advertiser);
    if (at - known.at >= freshMs) renewBehind(advertiser);
    return known;
  };
  const timer = setInterval(
    () => {
      for (const [advertiser, at] of asked)
        if (performance.now() - at < KEPT_WARM_MS) renewBehind(advertiser);
        else asked.delete(advertiser);
    },
    Math.max(WARM_MS, keptMs / 3),
  );
  timer.unref();
  // Who has not come since a pepper was replaced is published under the one before.
  const peppers = [deps.pepper, ...olderPeppers(deps.pepper)];
  return {
    of: async (advertiser, identifiers) => {
      const offer = await offerOf(advertiser);
      const keys = identifiers.flatMap((identifier) => peppers.flatMap((pepper) => keyIdentifier(identifier, pepper) ?? []));
      if (offer.codes.size === 0 || keys.length === 0) return [];
      const values = await inTime(deps.redis.mgetBuffer(...keys.map(profileKey)), patienceMs);
      return membershipsIn(values, offer.codes, deps.now());
    },
    close: () => clearInterval(timer),
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
