import {
  HASHED_KINDS,
  hashesOf,
  IDENTIFIER_KINDS,
  type Identifier,
  type IdentifierKind,
  identifierKey,
  inNamespace,
  normalizeIdentifier,
} from '../../proto/identifier.ts';
import { olderPeppers, oldestPepper } from '../../proto/pepper.ts';
import { createSealer } from '../identity/seal.ts';
import { kindsFor, type SealedValue, sealedValues } from '../identity/sendable.ts';
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
const CAPACITY = 500_000;
const NO_HASHES: readonly KeyedIdentifier[] = [];
const NO_KEYS: readonly string[] = [];
const NO_VALUES: readonly SealedValue[] = [];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Keys identifiers under the pepper (or ring of peppers). Lives as long as one call or one file, so that raw values do not stay in memory. */
export interface Keyring {
  /** Null where the value names nobody. */
  keyOf(kind: IdentifierKind, raw: string): string | null;
  /** Of an e-mail or phone that was keyed here: what partners may send in its place. */
  hashesOf(key: string): readonly KeyedIdentifier[];
  /** The same identifier under the peppers that are still honoured, the newest first. Of a key that was made here. */
  olderOf(key: string): readonly string[];
  /**
   * What a fact names the identifier by: its key under the oldest pepper that is honoured, so that what is sent again across a
   * rotation is the same fact, and a device's pings stay those of one device. The bridges lead from it to the person.
   */
  lastingOf(key: string): string;
  /** What of an identifier that was keyed here is kept for sending, as the source's contract lets it; each once. */
  takeSealed(key: string): readonly SealedValue[];
  /** Key of the person behind a receipt that names nobody. */
  unknownBuyer(source: string, receipt: string): string;
}

/**
 * @param namespace whose numbers loyalty, customer and card identifiers are; '': of nobody in particular
 * @param contract of the source, which says whither its identifiers may be sent; absent: nowhere
 */
export function createKeyring(pepper: string, namespace = '', contract?: Source): Keyring {
  const sendable = kindsFor(contract === undefined ? [] : termsOf(contract).destinations);
  const sealer = sendable.size === 0 ? null : createSealer(pepper);
  const sealed = new Map<string, readonly SealedValue[]>();
  const taken = new Set<string>();
  // An HMAC costs 3 µs and a normal form 0.5, and a file names the same people again and again.
  const keys = new Map<IdentifierKind, Map<string, string | null>>();
  const hashes = new Map<string, readonly KeyedIdentifier[]>();
  const peppers = olderPeppers(pepper);
  let older = new Map<string, readonly string[]>();
  let before: typeof older = new Map();
  const rememberOlder = (kind: IdentifierKind, value: string, key: string): void => {
    if (peppers.length === 0) return;
    if (older.size >= 4 * CAPACITY) {
      // A key that is known without those of before would be another fact; those of the event at hand are still asked for.
      [before, older] = [older, new Map()];
      keys.clear();
    }
    older.set(
      key,
      peppers.map((one) => identifierKey(kind, value, one)),
    );
  };
  const olderOf = (key: string): readonly string[] => older.get(key) ?? before.get(key) ?? NO_KEYS;
  return {
    keyOf: (kind, raw) => {
      const known = keys.get(kind) ?? new Map<string, string | null>();
      if (known.size === 0) keys.set(kind, known);
      const found = known.get(raw);
      if (found !== undefined) return found;
      const value = normalizeIdentifier(kind, raw);
      const own = value === null ? null : inNamespace(kind, value, namespace);
      const key = own === null ? null : identifierKey(kind, own, pepper);
      if (key !== null) rememberOlder(kind, own as string, key);
      if (key !== null && (kind === 'email' || kind === 'phone')) {
        if (hashes.size >= CAPACITY) hashes.clear();
        hashes.set(
          key,
          hashesOf(kind, value as string).map((hash) => {
            const hashKey = identifierKey(hash.kind, hash.value, pepper);
            rememberOlder(hash.kind, hash.value, hashKey);
            return { kind: hash.kind, key: hashKey };
          }),
        );
      }
      if (sealer !== null && key !== null && !taken.has(key)) {
        if (sealed.size >= CAPACITY) sealed.clear();
        sealed.set(key, sealedValues(kind, value as string, sendable, sealer, pepper));
      }
      if (known.size >= CAPACITY) known.clear();
      known.set(raw, key);
      return key;
    },
    hashesOf: (key) => hashes.get(key) ?? NO_HASHES,
    olderOf,
    lastingOf: (key) => olderOf(key).at(-1) ?? key,
    takeSealed: (key) => {
      const values = sealed.get(key) ?? NO_VALUES;
      if (values.length === 0) return values;
      sealed.delete(key);
      if (taken.size >= CAPACITY) taken.clear();
      taken.add(key);
      return values;
    },
    unknownBuyer: (source, receipt) => identifierKey('receipt' as IdentifierKind, `${source}\n${receipt}`, oldestPepper(pepper)),
  };
}

/** For refused rows, as quarantine keeps them: what is keyed already is taken as it is, what mends them is keyed. */
export function createReplayRing(pepper: string, namespace = ''): Keyring {
  const ring = createKeyring(pepper, namespace);
  return { ...ring, keyOf: (kind, raw) => (UUID.test(raw) ? raw : ring.keyOf(kind, raw)) };
}

export function isIdentifierKind(kind: unknown): kind is IdentifierKind {
  return typeof kind === 'string' && KINDS.has(kind);
}

/** Those that name somebody, each once, the strongest first; the order they came in does not matter. */
export function keyAll(identifiers: readonly Identifier[], keyring: Keyring): KeyedIdentifier[] {
  const keyed: KeyedIdentifier[] = [];
  for (const { kind, value } of identifiers) {
    const key = keyring.keyOf(kind, value);
    if (key !== null && !keyed.some((other) => other.key === key)) keyed.push({ kind, key });
  }
  return keyed.length < 2 ? keyed : keyed.sort((a, b) => byStrength(a, b, keyring));
}

/** The same, under every pepper that is honoured: by these a person is looked up who may not have come again since the last one. */
export function keyEvery(identifiers: readonly Identifier[], keyring: Keyring): KeyedIdentifier[] {
  const keyed = keyAll(identifiers, keyring);
  return [...keyed, ...keyed.flatMap(({ kind, key }) => keyring.olderOf(key).map((older) => ({ kind, key: older })))];
}

/** Of equal ones the order is that of what facts name them by, so that a rotation does not change which is the first. */
function byStrength(a: KeyedIdentifier, b: KeyedIdentifier, keyring: Keyring): number {
  return rankOf(a) - rankOf(b) || (keyring.lastingOf(a.key) < keyring.lastingOf(b.key) ? -1 : 1);
}

function rankOf(identifier: KeyedIdentifier): number {
  return RANK.get(identifier.kind) ?? STRENGTH.length;
}
