import { HASH_SPECS, HASHED_KINDS, hashVariant, type IdentifierKind } from '../../proto/identifier.ts';
import type { DestinationKind } from '../sources/purposes.ts';
import type { Sealer } from './seal.ts';

/** What may leave: hashes by a destination's own rules, and ids that mean nothing outside advertising. Never a plain e-mail or phone. */
export const SENDABLE_KINDS = ['ifa', 'exchange', 'cookie', ...HASHED_KINDS] as const satisfies readonly IdentifierKind[];
export type SendableKind = (typeof SENDABLE_KINDS)[number];

/** What each kind of destination takes; null: what the destination says. */
export const KINDS_OF: Readonly<Record<DestinationKind, readonly SendableKind[] | null>> = {
  xandr: ['exchange'],
  yandex_audience: ['phone_yandex', 'email_yandex'],
  google_customer_match: ['email_google', 'phone_google', 'ifa'],
  meta_custom_audience: ['email_meta', 'phone_meta', 'ifa'],
  csv: null,
  parquet: null,
  webhook: null,
  lookup: [],
};

/** Kinds that must be kept for any of these destinations. */
export function kindsFor(destinations: readonly DestinationKind[]): ReadonlySet<SendableKind> {
  return new Set(destinations.flatMap((destination) => KINDS_OF[destination] ?? SENDABLE_KINDS));
}

/** A value that can be sent, as it is kept. */
export interface SealedValue {
  readonly identifier: string;
  readonly kind: SendableKind;
  readonly sealed: string;
}

export const boundTo = (kind: string, identifier: string): string => `${kind}\n${identifier}`;

/**
 * What of an identifier is kept for sending: itself, and of a plain e-mail or phone its hash by each specification that is asked for.
 * Under the key of what is sealed: the hash that a partner sent and the one that was made here are one row.
 */
export function sealedValues(
  kind: IdentifierKind,
  normalized: string,
  wanted: ReadonlySet<SendableKind>,
  sealer: Sealer,
  keyOf: (kind: IdentifierKind, value: string) => string,
): SealedValue[] {
  const seal = (as: SendableKind, value: string): SealedValue => {
    const identifier = keyOf(as, value);
    return { identifier, kind: as, sealed: sealer.seal(value, boundTo(as, identifier)) };
  };
  if (kind !== 'email' && kind !== 'phone')
    return wanted.has(kind as SendableKind) ? [seal(kind as SendableKind, normalized)] : [];
  return HASH_SPECS.flatMap((spec) => {
    const as = `${kind}_${spec}` as const;
    const hash = wanted.has(as) ? hashVariant(spec, kind, normalized) : null;
    return hash === null ? [] : [seal(as, hash.hex)];
  });
}
