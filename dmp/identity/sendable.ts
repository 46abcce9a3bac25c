import { HASH_SPECS, HASHED_KINDS, hashVariant, type IdentifierKind } from '../../proto/identifier.ts';
import type { DestinationKind } from '../sources/purposes.ts';
import type { Sealer } from './seal.ts';

/** Advertising ids (`ifa`) of which it is known whose they are: Apple's IDFA, and Google's advertising id of Android. */
export const PLATFORM_KINDS = ['idfa', 'gaid'] as const;
export type PlatformKind = (typeof PLATFORM_KINDS)[number];

/** What may leave: hashes by a destination's own rules, and ids that mean nothing outside advertising. Never a plain e-mail or phone. */
export const SENDABLE_KINDS = ['ifa', 'exchange', 'cookie', ...HASHED_KINDS, ...PLATFORM_KINDS] as const satisfies readonly (
  | IdentifierKind
  | PlatformKind
)[];
export type SendableKind = (typeof SENDABLE_KINDS)[number];

export function isPlatformKind(kind: SendableKind): kind is PlatformKind {
  return (PLATFORM_KINDS as readonly string[]).includes(kind);
}

/** What each kind of destination takes; null: what the destination says. */
export const KINDS_OF: Readonly<Record<DestinationKind, readonly SendableKind[] | null>> = {
  xandr: ['exchange', ...PLATFORM_KINDS],
  yandex_audience: ['phone_yandex', 'email_yandex', ...PLATFORM_KINDS],
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
  const seal = (as: Exclude<SendableKind, PlatformKind>, value: string): SealedValue => {
    const identifier = keyOf(as, value);
    return { identifier, kind: as, sealed: sealer.seal(value, boundTo(as, identifier)) };
  };
  if (kind !== 'email' && kind !== 'phone') {
    const as = kind as Exclude<SendableKind, PlatformKind>;
    return wanted.has(as) ? [seal(as, normalized)] : [];
  }
  return HASH_SPECS.flatMap((spec) => {
    const as = `${kind}_${spec}` as const;
    const hash = wanted.has(as) ? hashVariant(spec, kind, normalized) : null;
    return hash === null ? [] : [seal(as, hash.hex)];
  });
}

const APPLE = /^(?:ios|ipados|iphone|ipad|tvos|watchos|visionos|apple)/i;
const ANDROID = /^android/i;

/** Whose advertising id a device has, of what `device.os` of OpenRTB says; null: neither's, or it cannot be told. */
export function platformOf(os: string): PlatformKind | null {
  const text = os.trim();
  if (APPLE.test(text)) return 'idfa';
  return ANDROID.test(text) ? 'gaid' : null;
}

const ADVERTISING_ID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/**
 * An advertising id as its platform writes it, and with it all destinations that tell the two apart: Apple's in upper case, Google's in lower.
 * Null where neither platform makes such ids.
 */
export function sealedForPlatform(key: string, normalized: string, platform: PlatformKind, sealer: Sealer): SealedValue | null {
  if (!ADVERTISING_ID.test(normalized)) return null;
  const value = platform === 'idfa' ? normalized.toUpperCase() : normalized;
  return { identifier: key, kind: platform, sealed: sealer.seal(value, boundTo(platform, key)) };
}
