import {
  IDENTIFIER_KINDS,
  type Identifier,
  type IdentifierKind,
  identifierKey,
  normalizeIdentifier,
} from '../../proto/identifier.ts';

export interface KeyedIdentifier {
  readonly kind: IdentifierKind;
  readonly key: string;
}

/**
 * Which identifier of an event becomes its fact's: the first of these kinds. First what names one device or browser (it is what
 * a bid names too), then cards of a person, last what people share or change.
 */
export const STRENGTH: readonly IdentifierKind[] = ['ifa', 'exchange', 'cookie', 'loyalty', 'card', 'customer', 'email', 'phone'];

const RANK = new Map(STRENGTH.map((kind, rank) => [kind, rank]));
const KINDS: ReadonlySet<string> = new Set(IDENTIFIER_KINDS);
const CAPACITY = 100_000;

/** Keys identifiers under the pepper. Lives as long as one batch, so that raw values do not stay in memory. */
export interface Keyring {
  /** Null where the value names nobody. */
  keyOf(kind: IdentifierKind, raw: string): string | null;
}

export function createKeyring(pepper: string): Keyring {
  // An HMAC costs 3 µs, a batch names the same people again and again.
  const keys = new Map<string, string>();
  return {
    keyOf: (kind, raw) => {
      const value = normalizeIdentifier(kind, raw);
      if (value === null) return null;
      const name = `${kind}\n${value}`;
      let key = keys.get(name);
      if (key === undefined) {
        key = identifierKey(kind, value, pepper);
        if (keys.size < CAPACITY) keys.set(name, key);
      }
      return key;
    },
  };
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
  return keyed.length < 2 ? keyed : keyed.sort(byStrength);
}

function byStrength(a: KeyedIdentifier, b: KeyedIdentifier): number {
  return rankOf(a) - rankOf(b) || (a.key < b.key ? -1 : 1);
}

function rankOf(identifier: KeyedIdentifier): number {
  return RANK.get(identifier.kind) ?? STRENGTH.length;
}
