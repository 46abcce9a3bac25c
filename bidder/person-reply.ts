import { anchorIn, isOptedOut, isProfile } from '../proto/profile.ts';
import { type Person, WITHHELD } from './core/person.ts';
import type { Metrics } from './metrics.ts';
import type { Permission } from './privacy.ts';

/** What the store told of one person. */
export interface Found {
  /** Which of the identifiers counts. */
  readonly identifier: number;
  readonly profiles: readonly Buffer[];
  readonly caps: ReadonlyMap<string, number>;
  /** Where the next person begins. */
  readonly end: number;
}

const NO_CAPS: ReadonlyMap<string, number> = new Map();

/** Reads one person out of the reply of `lua/persons.lua`. */
export function foundAt(reply: Buffer, start: number): Found {
  const identifier = (reply[start] as number) - 1;
  const profiles: Buffer[] = [];
  let at = start + 4;
  for (let left = reply[start + 1] as number; left > 0; left--) {
    const length = reply.readUInt32LE(at);
    profiles.push(reply.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  const fields = reply.readUInt16LE(start + 2);
  if (fields === 0) return { identifier, profiles, caps: NO_CAPS, end: at };
  const caps = new Map<string, number>();
  for (let left = fields; left > 0; left--) {
    const fieldEnd = at + 1 + (reply[at] as number);
    const end = fieldEnd + 1 + (reply[fieldEnd] as number);
    const field = reply.toString('utf8', at + 1, fieldEnd);
    caps.set(field, (caps.get(field) ?? 0) + Number(reply.toString('latin1', fieldEnd + 1, end)));
    at = end;
  }
  return { identifier, profiles, caps, end: at };
}

/** @param metrics null: it was counted when it was read */
export function personOf(key: string, permission: Permission, { profiles, caps }: Found, metrics: Metrics | null): Person {
  const identifier = permission.identifiers ? key : '';
  if (!permission.profile) return { state: 'counted', identifier, anchor: key, memberships: [], caps };
  const memberships = profiles.filter(isProfile);
  if (memberships.length < profiles.length) metrics?.profileCorrupt.inc(profiles.length - memberships.length);
  const [first] = memberships;
  if (first === undefined) return { state: 'unknown', identifier, anchor: key, memberships, caps };
  if (memberships.some(isOptedOut)) return WITHHELD;
  return { state: 'known', identifier, anchor: anchorIn(first), memberships, caps };
}
