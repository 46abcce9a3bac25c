import { createHash } from 'node:crypto';
import { createHmac256, type Hmac, hexOf } from './hmac.ts';
import { networkOf } from './household.ts';
import { macOf } from './mac.ts';
import { currentPepper } from './pepper.ts';

/**
 * An identifier is a kind and a value. Outside the process that receives it only its key exists: an HMAC under the tenant's
 * pepper, printed as a UUIDv8 (RFC 9562, 5.8), so that ClickHouse stores it in 16 bytes and JSON loses nothing.
 *
 * `email_…` and `phone_…` are what a partner hashed itself, by the specification that the name says. `ip` is the network of a
 * household, a weak identifier.
 */
export const HASHED_KINDS = [
  'email_uid2',
  'email_google',
  'email_meta',
  'email_yandex',
  'phone_uid2',
  'phone_google',
  'phone_meta',
  'phone_yandex',
] as const;
export const IDENTIFIER_KINDS = [
  'ifa',
  'exchange',
  'cookie',
  'mac',
  'loyalty',
  'card',
  'customer',
  'email',
  'phone',
  ...HASHED_KINDS,
  'ip',
] as const;
export type IdentifierKind = (typeof IDENTIFIER_KINDS)[number];

/** Kinds by which a bid request can name a person: only these are published to the bidders. */
export const ADDRESSABLE_KINDS: readonly IdentifierKind[] = ['ifa', 'exchange', 'cookie'];

/** Numbers that mean something to those only who gave them: the same number of two retailers is two people. */
export const NAMESPACED_KINDS: ReadonlySet<string> = new Set<IdentifierKind>(['loyalty', 'card', 'customer']);

export interface Identifier {
  readonly kind: IdentifierKind;
  /** Raw value. For `exchange` it is `<exchange id>:<user id>`. */
  readonly value: string;
}

const ZERO_IFA = /^[0-]*$/;
const REPEATED = /^(.)\1*$/;
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
const EDGE_SPACE = /^[\s\p{Cc}\u00a0\u200b\ufeff]+|[\s\p{Cc}\u00a0\u200b\ufeff]+$/gu;
/** Half a pair is no character: all of them would be keyed as one. */
const HALF_PAIR = /\p{Surrogate}/u;
const PLACEHOLDERS = new Set(['', 'null', 'undefined', 'nil', 'none', 'unknown', 'optout', 'n/a', '-1', '0']);
const LONGEST_PLACEHOLDER = Math.max(...[...PLACEHOLDERS].map(({ length }) => length));
/** Without spaces around it, and no macro. */
const PLAIN = /^[\w.:-]+$/;
const NORMAL_IFA = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

/** The latest that was normal already. */
let normalIfa: string | null = null;

/**
 * The one canonical form of an identifier's value, or null where the value names nobody (empty, zeroed, a macro that was
 * never expanded, a MAC that a device made up): a profile under such a value would merge millions of people.
 */
export function normalizeIdentifier(kind: IdentifierKind, raw: string): string | null {
  // What nearly all requests have is normal already (0.1 µs in place of 0.5), and is asked about three times in a row.
  if (kind === 'ifa' && (raw === normalIfa || (NORMAL_IFA.test(raw) && raw[0] !== raw[9]))) {
    normalIfa = raw;
    return raw;
  }
  const isPlain = PLAIN.test(raw);
  const value = isPlain ? raw : raw.replace(EDGE_SPACE, '');
  if (value.length > 512 || (!isPlain && (value.includes('${') || value.includes('{{') || HALF_PAIR.test(value)))) return null;
  if (isPlaceholder(value, 0)) return null;
  switch (kind) {
    case 'ifa': {
      const ifa = value.toLowerCase();
      return ZERO_IFA.test(ifa) || REPEATED.test(ifa.replaceAll('-', '')) ? null : ifa;
    }
    case 'email':
      return normalizeEmail(value);
    case 'phone':
      return normalizePhone(value);
    case 'exchange': {
      const colon = value.indexOf(':');
      return colon > 0 && !isPlaceholder(value, colon + 1) ? value : null;
    }
    case 'mac': {
      const mac = macOf(value);
      return mac.kind === 'universal' ? mac.address : null;
    }
    case 'ip':
      return networkOf(value);
    case 'loyalty':
    case 'card':
    case 'customer':
    case 'cookie':
      return value;
    default:
      return normalizeDigest(value);
  }
}

function isPlaceholder(value: string, from: number): boolean {
  return value.length - from <= LONGEST_PLACEHOLDER && PLACEHOLDERS.has(value.slice(from).toLowerCase());
}

/** What would end or change the host of an address. */
const NO_DOMAIN = /[/:?#\\[\]%]/;
const ASCII = /^[\x21-\x7e]*$/;

/** Lower case; a domain of other letters in its ASCII form (punycode). Dots and tags of the local part stay as they are. */
function normalizeEmail(value: string): string | null {
  if (!EMAIL.test(value)) return null;
  const email = value.toLowerCase();
  if (ASCII.test(email)) return email;
  const at = email.lastIndexOf('@');
  const url = `http://${email.slice(at + 1)}/`;
  if (NO_DOMAIN.test(email.slice(at + 1)) || !URL.canParse(url)) return null;
  return `${email.slice(0, at)}@${new URL(url).hostname}`;
}

/** E.164. A leading 8 of eleven digits, and ten digits that begin with 9, are Russian numbers; 00 stands for +. */
function normalizePhone(value: string): string | null {
  if (/\p{L}/u.test(value)) return null;
  let digits = value.replace(/\D/g, '');
  if (!value.startsWith('+')) {
    if (digits.length === 11 && digits.startsWith('8')) return `+7${digits.slice(1)}`;
    if (digits.length === 10 && digits.startsWith('9')) return `+7${digits}`;
    if (digits.startsWith('00')) digits = digits.slice(2);
  }
  return digits.length >= 10 && digits.length <= 15 && !digits.startsWith('0') ? `+${digits}` : null;
}

const HEX = /^[0-9a-f]{64}$/;
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/;

/** The 32 bytes of a SHA-256, given as hex or Base64, as lower-case hex; of an empty text they name nobody. */
function normalizeDigest(value: string): string | null {
  const hex = value.toLowerCase();
  const digest = HEX.test(hex) ? hex : BASE64.test(value) ? Buffer.from(value, 'base64').toString('hex') : null;
  return digest === NOTHING || (digest !== null && REPEATED.test(digest)) ? null : digest;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const NOTHING = sha256('');

/** Whose rules a hash is made by. */
export const HASH_SPECS = ['uid2', 'google', 'meta', 'yandex'] as const;
export type HashSpec = (typeof HASH_SPECS)[number];

/**
 * What a specification has one hash (SHA-256) of an e-mail or a phone number, or null where the value is none.
 * UID2 and Google: phones in E.164; of gmail.com (Google: and googlemail.com) dots and tags are taken out of the local part, and
 * Google takes spaces out of the middle too. Meta and Yandex: phones as digits without the plus, e-mails in lower case.
 */
export function hashedText(spec: HashSpec, kind: 'email' | 'phone', raw: string): string | null {
  const value = normalizeIdentifier(kind, spec === 'google' && kind === 'email' ? raw.replace(/\s/g, '') : raw);
  if (value === null) return null;
  if (kind === 'phone') return spec === 'uid2' || spec === 'google' ? value : value.slice(1);
  return spec === 'uid2' || spec === 'google' ? canonicalMailbox(value, spec) : value;
}

function canonicalMailbox(email: string, spec: 'uid2' | 'google'): string {
  const at = email.lastIndexOf('@');
  const domain = email.slice(at + 1);
  if (domain !== 'gmail.com' && !(spec === 'google' && domain === 'googlemail.com')) return email;
  const [local = ''] = email.slice(0, at).split('+');
  return `${local.replaceAll('.', '')}@${domain}`;
}

/** The hash that a partner sends by a specification: hex, and Base64 of the same bytes. */
export function hashVariant(spec: HashSpec, kind: 'email' | 'phone', raw: string): { hex: string; base64: string } | null {
  const text = hashedText(spec, kind, raw);
  if (text === null) return null;
  const hex = sha256(text);
  return { hex, base64: Buffer.from(hex, 'hex').toString('base64') };
}

/**
 * What partners may send in the place of a plain e-mail or phone: its hashes by each specification, each digest once. They are
 * joined to the plain identifier when it comes, since a hash cannot be turned back.
 */
export function hashesOf(kind: IdentifierKind, normalized: string): Identifier[] {
  if (kind !== 'email' && kind !== 'phone') return [];
  const found: Identifier[] = [];
  for (const spec of HASH_SPECS) {
    const value = hashVariant(spec, kind, normalized)?.hex;
    if (value !== undefined && !found.some((other) => other.value === value)) found.push({ kind: `${kind}_${spec}`, value });
  }
  return found;
}

/** Under which name an identifier is keyed: the same digest is the same person, whatever specification it was made by. */
function keyedAs(kind: IdentifierKind): string {
  if (kind.startsWith('email_')) return 'email_sha256';
  return kind.startsWith('phone_') ? 'phone_sha256' : kind;
}

const KEYED_AS = Object.fromEntries(IDENTIFIER_KINDS.map((kind) => [kind, `${keyedAs(kind)}\n`])) as Readonly<
  Record<IdentifierKind, string>
>;

/** Key of a normalised identifier under a pepper, or the current one of a ring: HMAC-SHA-256(pepper, kind \n value), first 16 bytes, as a lower-case UUIDv8. */
export function identifierKey(kind: IdentifierKind, normalized: string, pepper: string): string {
  return keyOf(KEYED_AS[kind], normalized, pepper);
}

/** Key of whoever a receipt is of that names nobody: of the same receipt of the same source it is the same one. */
export function receiptKey(source: string, receipt: string, pepper: string): string {
  return keyOf('receipt\n', `${source}\n${receipt}`, pepper);
}

function keyOf(name: string, value: string, pepper: string): string {
  const words = hmacOf(pepper).wordsOf(name, value);
  const [a, b, c, d] = [words[0], words[1], words[2], words[3]] as [number, number, number, number];
  const second = hexOf((b & 0xffff_0fff) | 0x8000);
  const third = hexOf((c & 0x3fff_ffff) | 0x8000_0000);
  return `${hexOf(a)}-${second.slice(0, 4)}-${second.slice(4)}-${third.slice(0, 4)}-${third.slice(4)}${hexOf(d)}`;
}

/** A bidder has one pepper, who keys rows one a tenant. */
const MOST_HMACS = 4_096;
const hmacs = new Map<string, Hmac>();

function hmacOf(pepper: string): Hmac {
  let hmac = hmacs.get(pepper);
  if (hmac === undefined) {
    if (hmacs.size >= MOST_HMACS) hmacs.clear();
    hmac = createHmac256(currentPepper(pepper));
    hmacs.set(pepper, hmac);
  }
  return hmac;
}

/** The value as it is keyed: a number that only its giver knows with the giver's namespace, where there is one. */
export function inNamespace(kind: IdentifierKind, normalized: string, namespace: string): string {
  return namespace !== '' && NAMESPACED_KINDS.has(kind) ? `${namespace}\n${normalized}` : normalized;
}

/** Normalises and keys in one step; null where the value names nobody. */
export function keyIdentifier(identifier: Identifier, pepper: string, namespace = ''): string | null {
  const normalized = normalizeIdentifier(identifier.kind, identifier.value);
  return normalized === null ? null : identifierKey(identifier.kind, inNamespace(identifier.kind, normalized, namespace), pepper);
}
