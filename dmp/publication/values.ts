import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { ADDED_CHANNEL, profileKey } from '../../proto/keys.ts';

/** The last sequence that was given out. */
const SEQUENCE_KEY = 'walkin:publication:sequence';
/**
 * Hash of what the last publication held: `identities` their newest version, `full` when everybody was published last (epoch ms),
 * `s:<segment>` the version of its members. Versions and no times: the clocks of several segmenters differ.
 */
export const STATE_KEY = 'walkin:segmenter:published';
/** Sorted set of identifiers to which events added memberships, by epoch seconds of Redis: the next publication writes them anew. */
export const STREAMED_KEY = 'walkin:publication:streamed';
/** Sorted set of devices by when a ping of theirs was last at a place that a streamed rule asks about, epoch ms: see dmp/streaming. */
export const AT_PLACES_KEY = 'walkin:streaming:at-places';
/** A value that nobody renews is forgotten: a segmenter that stands still must not leave people in segments for ever. */
const EXPIRY_S = 30 * 86_400;
/** People in one call, so that a bidder's question waits for half a millisecond: a value costs Redis 4.6 µs. */
const TOGETHER = 100;
const KEY_BYTES = 36;
const STREAM_BYTES = 45;

// KEYS 1 the last sequence. Returns a greater one: milliseconds by the clock of Redis, which all share, or one more where that stood still.
const NEXT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local sequence = string.format('%.0f', math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0') + 1))
redis.call('SET', KEYS[1], sequence)
return sequence`;

/** What is published of one person, under each of their identifiers. */
export interface Value {
  readonly identifiers: readonly string[];
  /** See proto/profile.ts. */
  readonly value: Buffer;
}

export interface Put {
  /** Of all values, drawn before what they say was read. */
  readonly sequence: number;
  /** Epoch ms. */
  readonly now: number;
  /** Marks that nothing may be used: written whatever is there. */
  readonly force?: boolean;
  /** They stay until they are replaced. */
  readonly forever?: boolean;
  /** Streamed memberships of these segments (numbers) that were added by then (epoch ms of Redis) are known to the published ones. */
  readonly known?: ReadonlyMap<number, number>;
}

export interface Written {
  readonly written: number;
  /** Not written, since something newer is there. */
  readonly late: number;
}

/** A membership that an event gives. */
export interface Addition {
  readonly identifier: string;
  /** The event named it: it gets a value where it has none. */
  readonly isNamed: boolean;
  readonly segment: number;
  /** Epoch seconds. */
  readonly until: number;
}

export interface Added {
  readonly added: number;
  readonly made: number;
  readonly refused: number;
}

type Call = (...args: (string | number | Buffer)[]) => Promise<unknown>;
interface Scripts {
  readonly walkin_sequence: Call;
  readonly walkin_put: Call;
  readonly walkin_stream: Call;
  readonly walkin_remove: Call;
}

const known = new WeakMap<Redis, Scripts>();

function scriptsOf(redis: Redis): Scripts {
  const there = known.get(redis);
  if (there !== undefined) return there;
  const textOf = (name: string): string => readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');
  redis.defineCommand('walkin_sequence', { numberOfKeys: 1, lua: NEXT });
  redis.defineCommand('walkin_put', { numberOfKeys: 1, lua: textOf('put') });
  redis.defineCommand('walkin_stream', { numberOfKeys: 2, lua: textOf('stream') });
  redis.defineCommand('walkin_remove', { numberOfKeys: 0, lua: textOf('remove') });
  const scripts = redis as unknown as Scripts;
  known.set(redis, scripts);
  return scripts;
}

/** A number greater than all that were given out, also where a clock was set back. */
export async function nextSequence(redis: Redis): Promise<number> {
  return Number(await scriptsOf(redis).walkin_sequence(SEQUENCE_KEY));
}

/** Writes values, each where nothing newer is there. Repeating it changes nothing. */
export async function putValues(redis: Redis, values: readonly Value[], put: Put): Promise<Written> {
  let written = 0;
  let late = 0;
  for (let from = 0; from < values.length; from += TOGETHER) {
    const reply = await putPacked(redis, pack(values.slice(from, from + TOGETHER)), put);
    written += reply.written;
    late += reply.late;
  }
  return { written, late };
}

/** As `putValues`, of values that are packed already as put.lua takes them. */
export async function putPacked(redis: Redis, packed: Buffer, put: Put): Promise<Written> {
  const { sequence, now, force = false, forever = false } = put;
  const args = [profileKey(''), sequence, forever ? 0 : EXPIRY_S, force ? '1' : '0', Math.floor(now / 1000)];
  const reply = await scriptsOf(redis).walkin_put(SEQUENCE_KEY, ...args, packKnown(put.known), packed);
  const [written, late] = reply as [number, number];
  return { written, late };
}

function pack(values: readonly Value[]): Buffer {
  const parts: Buffer[] = [];
  for (const { identifiers, value } of values) {
    for (let from = 0; from < identifiers.length; from += 255) {
      const some = identifiers.slice(from, from + 255);
      const length = Buffer.allocUnsafe(2);
      length.writeUInt16LE(value.length);
      parts.push(Buffer.from([some.length]), Buffer.from(some.join(''), 'latin1'), length, value);
    }
  }
  return Buffer.concat(parts);
}

function packKnown(upTo: ReadonlyMap<number, number> = new Map()): Buffer {
  const packed = Buffer.allocUnsafe(upTo.size * 8);
  let at = 0;
  for (const [segment, time] of upTo) {
    at = packed.writeUInt32LE(segment, at);
    at = packed.writeUInt32LE(Math.floor(time / 1000), at);
  }
  return packed;
}

/** Adds memberships to what is published, at once. Repeating it changes nothing but the time. */
export async function addMemberships(redis: Redis, additions: readonly Addition[], now: number): Promise<Added> {
  const sum = { added: 0, made: 0, refused: 0 };
  for (let from = 0; from < additions.length; from += TOGETHER) {
    const some = additions.slice(from, from + TOGETHER);
    const packed = Buffer.allocUnsafe(some.length * STREAM_BYTES);
    for (const [index, { identifier, isNamed, segment, until }] of some.entries()) {
      const at = index * STREAM_BYTES;
      packed.write(identifier, at, KEY_BYTES, 'latin1');
      packed[at + KEY_BYTES] = isNamed ? 0x31 : 0x30;
      packed.writeUInt32LE(segment, at + KEY_BYTES + 1);
      packed.writeUInt32LE(until, at + KEY_BYTES + 5);
    }
    const args = [profileKey(''), Math.floor(now / 1000), ADDED_CHANNEL, packed];
    const reply = await scriptsOf(redis).walkin_stream(STREAMED_KEY, STATE_KEY, ...args);
    const [added, made, refused] = reply as [number, number, number];
    sum.added += added;
    sum.made += made;
    sum.refused += refused;
  }
  return sum;
}

/** Hash of what events counted of a person, by anchor: see dmp/streaming. */
export const countersKey = (anchor: string): string => `walkin:counted:${anchor}`;

/** Takes out what events left of people, but for the values themselves. */
export async function forgetAdded(redis: Redis, identifiers: readonly string[]): Promise<void> {
  for (let from = 0; from < identifiers.length; from += TOGETHER) {
    const some = identifiers.slice(from, from + TOGETHER);
    await redis
      .pipeline()
      .zrem(STREAMED_KEY, ...some)
      .zrem(AT_PLACES_KEY, ...some)
      .del(...some.map(countersKey))
      .exec();
  }
}

/** Deletes values that are still what was looked at. Returns how many. */
export async function removeValues(
  redis: Redis,
  looked: readonly { readonly identifier: string; readonly value: Buffer }[],
): Promise<number> {
  let removed = 0;
  for (let from = 0; from < looked.length; from += TOGETHER) {
    const args = looked
      .slice(from, from + TOGETHER)
      .flatMap(({ identifier, value }) => [identifier, createHash('sha1').update(value).digest('hex')]);
    removed += (await scriptsOf(redis).walkin_remove(profileKey(''), ...args)) as number;
  }
  return removed;
}
