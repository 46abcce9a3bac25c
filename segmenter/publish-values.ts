import type { Redis } from 'ioredis';
import { type Put, putPacked } from '../dmp/publication/values.ts';
import { type ProfileHead, profileBytes, writeProfile } from '../proto/profile.ts';
import type { PersonRow } from './publish-people.ts';

/** People in one call of put.lua, so that a bidder's question waits for half a millisecond: a value costs Redis 4.6 µs. */
const TOGETHER = 100;
/** Calls under way: Redis works on one while the next is packed. */
const CALLS = 4;
const BYTES = 128 * 1024;
const KEY_BYTES = 36;
/** Identifiers that one entry of the packed form holds. */
const MOST_KEYS = 255;

/** Packs people as they come and writes them in calls of a few hundred. */
export interface ValueWriter {
  /** @param consent bits */
  add(person: PersonRow, consent: number): void | Promise<void>;
  /** Resolves when all are written. */
  end(): Promise<{ readonly written: number; readonly late: number }>;
}

export interface Membership {
  /** Hour of publication, and hours from then to the end of all memberships. */
  readonly hour: number;
  readonly hours: number;
}

export function createValueWriter(redis: Redis, put: Put, { hour, hours }: Membership): ValueWriter {
  const calls: Promise<void>[] = [];
  let packed = Buffer.allocUnsafe(BYTES);
  let end = 0;
  let people = 0;
  let written = 0;
  let late = 0;
  const head: ProfileHead = { profile: 0, consent: 0, hour, hours, sequence: put.sequence, from: packed, anchorAt: 0 };
  return { add, end: finish };

  function add(person: PersonRow, consent: number): void | Promise<void> {
    head.profile = person.profile;
    head.consent = consent;
    head.from = person.bytes;
    head.anchorAt = person.anchorAt;
    for (let from = 0; from < person.identifiers; from += MOST_KEYS) {
      const keys = Math.min(MOST_KEYS, person.identifiers - from);
      const room = 3 + keys * KEY_BYTES + profileBytes(person.count);
      if (end + room > packed.length) grow(room);
      packed[end] = keys;
      const start = person.identifiersAt + from * KEY_BYTES;
      end += 1 + person.bytes.copy(packed, end + 1, start, start + keys * KEY_BYTES);
      const valueEnd = writeProfile(packed, end + 2, head, person.memberships, person.count);
      packed.writeUInt16LE(valueEnd - end - 2, end);
      end = valueEnd;
    }
    if (++people >= TOGETHER) return send();
  }

  function grow(room: number): void {
    const larger = Buffer.allocUnsafe(Math.max(packed.length * 2, end + room));
    packed.copy(larger, 0, 0, end);
    packed = larger;
  }

  /** Waits where enough calls are under way. */
  function send(): void | Promise<void> {
    if (end === 0) return;
    const call = putPacked(redis, packed.subarray(0, end), put).then((reply) => {
      written += reply.written;
      late += reply.late;
    });
    // The fault is met where it is awaited.
    call.catch(() => undefined);
    calls.push(call);
    packed = Buffer.allocUnsafe(BYTES);
    end = 0;
    people = 0;
    if (calls.length >= CALLS) return calls.shift();
  }

  async function finish() {
    await send();
    await Promise.all(calls);
    return { written, late };
  }
}
