import { type Identifier, identifierKey, keyIdentifier, normalizeIdentifier } from '../proto/identifier.ts';
import { dayOf } from '../proto/keys.ts';
import { olderPeppers } from '../proto/pepper.ts';
import type { BidRequest } from './openrtb/request.ts';
import type { Permission } from './privacy.ts';

/**
 * Keys of the identifiers under which a request's person may be looked up: the device's advertising id, then our own id, then the
 * exchange's; as far as the permission goes.
 */
export function identifiersOf(
  { device, buyeruid, userId }: BidRequest,
  exchange: string,
  pepper: string,
  { caps }: Permission,
  now: number,
): string[] {
  if (caps === null) return [];
  const ours: Identifier = { kind: 'cookie', value: buyeruid };
  const theirs: Identifier = { kind: 'exchange', value: `${exchange}:${userId}` };
  if (caps === 'own') return keysOf([ours], pepper);
  if (caps === 'day') return dayKeys(theirs, pepper, now);
  return keysOf([{ kind: 'ifa', value: device.ifa }, ours, theirs], pepper);
}

function keysOf(identifiers: readonly Identifier[], pepper: string): string[] {
  const keys: string[] = [];
  for (const identifier of identifiers) {
    const key = identifier.value === '' ? null : keyIdentifier(identifier, pepper);
    if (key === null) continue;
    addOlder(keys, pepper, (older) => keyIdentifier(identifier, older));
    keys.push(key);
  }
  return keys;
}

/**
 * Keys under peppers that are still honoured, the oldest first: whom nobody knows stays in the holdout bucket and keeps the caps that
 * hang on the first key.
 */
function addOlder(keys: string[], pepper: string, keyOf: (older: string) => string | null): void {
  const older = olderPeppers(pepper);
  for (let at = older.length - 1; at >= 0; at--) {
    const key = keyOf(older[at] as string);
    if (key !== null) keys.push(key);
  }
}

/** A key that nothing else is kept under, and that is another one tomorrow. */
function dayKeys({ kind, value }: Identifier, pepper: string, now: number): string[] {
  const normalized = normalizeIdentifier(kind, value);
  if (normalized === null) return [];
  const today = `${normalized}\n${dayOf(now)}`;
  const keys: string[] = [];
  addOlder(keys, pepper, (older) => identifierKey(kind, today, older));
  keys.push(identifierKey(kind, today, pepper));
  return keys;
}

/** What the person depends on, before any key is made of it: who is known already costs no HMAC. */
export function memoryKeyOf(
  { device, buyeruid, userId }: BidRequest,
  exchange: string,
  permission: Permission,
  now: number,
): string {
  const { caps, profile, identifiers } = permission;
  const rights = `${caps === 'day' ? Math.floor(now / DAY_MS) : caps}${profile ? 'p' : ''}${identifiers ? 'i' : ''}`;
  return `${rights}\n${exchange}\n${device.ifa}\n${buyeruid}\n${userId}`;
}

const DAY_MS = 86_400_000;
