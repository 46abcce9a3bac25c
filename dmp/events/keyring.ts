import {
  ADDRESSABLE_KINDS,
  HASHED_KINDS,
  hashesOf,
  IDENTIFIER_KINDS,
  type Identifier,
  type IdentifierKind,
  identifierKey,
  inNamespace,
  NAMESPACED_KINDS,
  normalizeIdentifier,
  receiptKey,
} from '../../proto/identifier.ts';
import { everyPepper, olderPeppers, oldestPepper } from '../../proto/pepper.ts';
import { createSealer, type Sealer } from '../identity/seal.ts';
import { isPlatformKind, kindsFor, platformOf, type SealedValue, sealedForPlatform, sealedValues } from '../identity/sendable.ts';
import { commonPeppers, type Peppers } from '../identity/tenant.ts';
import { type Source, termsOf } from '../sources/source.ts';

export interface KeyedIdentifier {
  readonly kind: IdentifierKind;
  readonly key: string;
}

/**
 * Which identifier of an event becomes its fact's: the first of these kinds. First what names one device or browser (it is what
 * a bid names too), then cards of a person, last what people share or change.
 */
export const STRENGTH: readonly IdentifierKind[] = [
  ...(['ifa', 'exchange', 'cookie', 'mac', 'loyalty', 'card', 'customer', 'email', 'phone'] as const),
  ...HASHED_KINDS,
  'ip',
];

const RANK = new Map(STRENGTH.map((kind, rank) => [kind, rank]));
const KINDS: ReadonlySet<string> = new Set(IDENTIFIER_KINDS);
const ADDRESSABLE: ReadonlySet<string> = new Set(ADDRESSABLE_KINDS);
const CAPACITY = 500_000;
const NO_HASHES: readonly KeyedIdentifier[] = [];
const NO_KEYS: readonly string[] = [];
const NO_VALUES: readonly SealedValue[] = [];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/**
 * Keys identifiers: what parties meet by under the installation's ring of peppers, the rest and what facts name people by under that of who
 * holds the source. Lives as long as one call or one file, so that raw values do not stay in memory.
 */
export interface Keyring {
  /**
   * The key by which people are joined. Null where the value names nobody.
   *
   * @param os of the device that an advertising id is of, as `device.os` of OpenRTB says it
   */
  keyOf(kind: IdentifierKind, raw: string, os?: string): string | null;
  /** Of an e-mail or phone that was keyed here: what partners may send in its place. */
  hashesOf(key: string): readonly KeyedIdentifier[];
  /** The same identifier under the peppers that are still honoured, the newest first. Of a key that was made here. */
  olderOf(key: string): readonly string[];
  /** The same identifier wherever else it may be: under a pepper of the holder or the installation by which numbers are, or were, keyed. */
  elsewhereOf(key: string): readonly string[];
  /**
   * What a fact names the identifier by: its key under the holder's oldest pepper that is honoured, so that what is sent again across a
   * rotation is the same fact, and a device's pings stay those of one device. The bridges lead from it to the person.
   */
  lastingOf(key: string): string;
  /** What a refused row names it by: as a fact would, with what leads a replay to the person and says nothing to others. */
  heldOf(key: string): string;
  /** What of an identifier that was keyed here is kept for sending, as the source's contract lets it; each once. */
  takeSealed(key: string): readonly SealedValue[];
  /** Key of the person behind a receipt that names nobody. */
  unknownBuyer(source: string, receipt: string): string;
}

/** How a key was made. */
interface Made {
  readonly kind: IdentifierKind;
  /** As it is keyed. */
  readonly value: string;
  readonly older: readonly string[];
  /** Worked out when it is asked for: few identifiers name a fact. */
  lasting: string | null;
}

/**
 * @param namespace whose numbers loyalty, customer and card identifiers are; '': of nobody in particular
 * @param contract of the source, which says whither its identifiers may be sent; absent: nowhere
 */
export function createKeyring(peppers: Peppers | string, namespace = '', contract?: Source): Keyring {
  const { own, common, apart, numbersMeet } = typeof peppers === 'string' ? commonPeppers(peppers) : peppers;
  const sendable = kindsFor(contract === undefined ? [] : termsOf(contract).destinations);
  const sealer = sendable.size === 0 ? null : createSealer(common);
  const sealed = new Map<string, readonly SealedValue[]>();
  const taken = new Set<string>();
  // An HMAC costs 3 µs and a normal form 0.5, and a file names the same people again and again.
  const keys = new Map<IdentifierKind, Map<string, string | null>>();
  const hashes = new Map<string, readonly KeyedIdentifier[]>();
  const isOwn = own !== common;
  const isMarket = (kind: IdentifierKind): boolean => !isOwn || ADDRESSABLE.has(kind);
  const meets = (kind: IdentifierKind): boolean => (NAMESPACED_KINDS.has(kind) ? numbersMeet && !apart : !apart);
  const ringOf = (kind: IdentifierKind): string => (isMarket(kind) || meets(kind) ? common : own);
  const isRotated = olderPeppers(common).length > 0;
  let made = new Map<string, Made>();
  let before: typeof made = new Map();
  const remember = (kind: IdentifierKind, value: string, key: string): void => {
    if (isMarket(kind) && !isRotated) return;
    if (made.size >= 4 * CAPACITY) {
      // A key that is known without those of before would be another fact; those of the event at hand are still asked for.
      [before, made] = [made, new Map()];
      keys.clear();
    }
    const older = olderPeppers(ringOf(kind)).map((one) => identifierKey(kind, value, one));
    made.set(key, { kind, value, older, lasting: null });
  };
  const madeOf = (key: string): Made | undefined => made.get(key) ?? before.get(key);
  const olderOf = (key: string): readonly string[] => madeOf(key)?.older ?? NO_KEYS;
  const lastingOf = (key: string): string => {
    const how = madeOf(key);
    if (how === undefined) return key;
    how.lasting ??=
      isMarket(how.kind) || ringOf(how.kind) === own
        ? (how.older.at(-1) ?? key)
        : identifierKey(how.kind, how.value, oldestPepper(own));
    return how.lasting;
  };
  const keyIn = (kind: IdentifierKind, value: string): string => identifierKey(kind, value, ringOf(kind));
  const addSealed = (key: string, values: readonly SealedValue[]): void => {
    if (sealed.size >= CAPACITY) sealed.clear();
    sealed.set(key, [...(sealed.get(key) ?? NO_VALUES), ...values]);
  };
  /** The platform is another word than the id, which may have been named without it before. */
  const addPlatform = (key: string, raw: string, os: string): void => {
    const platform = platformOf(os);
    if (platform === null || sealer === null || !sendable.has(platform) || taken.has(`${platform} ${key}`)) return;
    if (sealed.get(key)?.some(({ kind }) => kind === platform) === true) return;
    const value = sealedForPlatform(key, normalizeIdentifier('ifa', raw) ?? '', platform, sealer);
    if (value !== null) addSealed(key, [value]);
  };
  let holder: Sealer | null = null;
  return {
    keyOf: (kind, raw, os) => {
      const key = keyWithout(kind, raw);
      if (os !== undefined && key !== null && kind === 'ifa') addPlatform(key, raw, os);
      return key;
    },
    hashesOf: (key) => hashes.get(key) ?? NO_HASHES,
    olderOf,
    elsewhereOf: (key) => {
      const how = madeOf(key);
      if (how === undefined || !isOwn || !NAMESPACED_KINDS.has(how.kind)) return NO_KEYS;
      return everyPepper(ringOf(how.kind) === own ? common : own).map((one) => identifierKey(how.kind, how.value, one));
    },
    lastingOf,
    heldOf: (key) => {
      const lasting = lastingOf(key);
      if (lasting === key || olderOf(key).includes(lasting)) return lasting;
      holder ??= createSealer(common);
      return `${lasting}${HELD}${holder.seal(key, lasting)}`;
    },
    takeSealed: (key) => {
      const values = sealed.get(key) ?? NO_VALUES;
      if (values.length === 0) return values;
      sealed.delete(key);
      if (taken.size >= CAPACITY) taken.clear();
      taken.add(key);
      for (const { kind } of values) if (isPlatformKind(kind)) taken.add(`${kind} ${key}`);
      return values;
    },
    unknownBuyer: (source, receipt) => receiptKey(source, receipt, oldestPepper(own)),
  };

  function keyWithout(kind: IdentifierKind, raw: string): string | null {
    const known = keys.get(kind) ?? new Map<string, string | null>();
    if (known.size === 0) keys.set(kind, known);
    const found = known.get(raw);
    if (found !== undefined) return found;
    const value = normalizeIdentifier(kind, raw);
    const named = value === null ? null : inNamespace(kind, value, namespace);
    const key = named === null ? null : keyIn(kind, named);
    if (key !== null) remember(kind, named as string, key);
    if (key !== null && (kind === 'email' || kind === 'phone')) {
      if (hashes.size >= CAPACITY) hashes.clear();
      hashes.set(
        key,
        hashesOf(kind, value as string).map((hash) => {
          const hashKey = keyIn(hash.kind, hash.value);
          remember(hash.kind, hash.value, hashKey);
          return { kind: hash.kind, key: hashKey };
        }),
      );
    }
    if (sealer !== null && key !== null && !taken.has(key))
      addSealed(key, sealedValues(kind, value as string, sendable, sealer, keyIn));
    if (known.size >= CAPACITY) known.clear();
    known.set(raw, key);
    return key;
  }
}

/** Parts what a refused row names somebody by from what leads on from there. */
const HELD = '.';

/** For refused rows, as quarantine keeps them: what is keyed already is taken as it is, what mends them is keyed. */
export function createReplayRing(peppers: Peppers, namespace = ''): Keyring {
  const ring = createKeyring(peppers, namespace);
  const sealer = createSealer(peppers.common);
  const lasting = new Map<string, string>();
  return {
    ...ring,
    keyOf: (kind, raw) => {
      const [name = '', sealed] = raw.split(HELD);
      if (!UUID.test(name)) return ring.keyOf(kind, raw);
      const key = sealed === undefined ? name : opened(sealer, sealed, name);
      if (key === null) return null;
      if (key !== name) lasting.set(key, name);
      return key;
    },
    lastingOf: (key) => lasting.get(key) ?? ring.lastingOf(key),
  };
}

/** Null: it was sealed under a pepper that is honoured no more, and nobody knows whom it names. */
function opened(sealer: Sealer, sealed: string, name: string): string | null {
  try {
    return sealer.open(sealed, name);
  } catch {
    return null;
  }
}

export function isIdentifierKind(kind: unknown): kind is IdentifierKind {
  return typeof kind === 'string' && KINDS.has(kind);
}

/** Those that name somebody, each once, the strongest first; the order they came in does not matter. */
export function keyAll(identifiers: readonly (Identifier & { readonly os?: string })[], keyring: Keyring): KeyedIdentifier[] {
  const keyed: KeyedIdentifier[] = [];
  for (const { kind, value, os } of identifiers) {
    const key = keyring.keyOf(kind, value, os);
    if (key !== null && !keyed.some((other) => other.key === key)) keyed.push({ kind, key });
  }
  return keyed.length < 2 ? keyed : keyed.sort((a, b) => byStrength(a, b, keyring));
}

/** The same, under every pepper that is honoured: by these a person is looked up who may not have come again since the last one. */
export function keyEvery(identifiers: readonly Identifier[], keyring: Keyring): KeyedIdentifier[] {
  const keyed = keyAll(identifiers, keyring);
  const others = (key: string): string[] => [...keyring.olderOf(key), ...keyring.elsewhereOf(key)];
  return [...keyed, ...keyed.flatMap(({ kind, key }) => others(key).map((other) => ({ kind, key: other })))];
}

/** Of equal ones the order is that of what facts name them by, so that a rotation does not change which is the first. */
function byStrength(a: KeyedIdentifier, b: KeyedIdentifier, keyring: Keyring): number {
  return rankOf(a) - rankOf(b) || (keyring.lastingOf(a.key) < keyring.lastingOf(b.key) ? -1 : 1);
}

function rankOf(identifier: KeyedIdentifier): number {
  return RANK.get(identifier.kind) ?? STRENGTH.length;
}
