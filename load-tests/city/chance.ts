/**
 * All chance of the city. Nothing is drawn from a stream: every draw is a hash of the seed and of what it decides, so the
 * outcome cannot depend on the order of things, on concurrency or on retries.
 */

/** What a draw decides. A number is never used for something else, or an old seed would give another city. */
export const TOPIC = {
  street: 1,
  store: 2,
  home: 3,
  work: 4,
  habit: 5,
  consent: 6,
  device: 7,
  card: 8,
  outing: 9,
  outingStore: 10,
  outingTime: 11,
  rivalOuting: 12,
  basket: 13,
  background: 14,
  ping: 15,
  driveBy: 16,
  view: 17,
  rivals: 18,
  floor: 19,
  render: 20,
  click: 21,
  notice: 22,
  spot: 23,
  demo: 24,
} as const;

/** A draw in [0, 1). */
export function chance(seed: number, topic: number, a = 0, b = 0, c = 0): number {
  const high = mix(mix(mix(mix(mix(0x2545f491, seed), topic), a), b), c);
  const low = mix(high ^ 0x5bd1e995, c + 1);
  return ((high >>> 0) * 2_097_152 + (low >>> 11)) / 9_007_199_254_740_992;
}

/** The mixing steps of MurmurHash3 x86_32 (Appleby, public domain). */
function mix(hash: number, part: number): number {
  let k = Math.imul(part | 0, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  let h = hash ^ Math.imul(k, 0x1b873593);
  h = (h << 13) | (h >>> 19);
  h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A standard normal draw (Box and Muller, 1958). `c` and `c + 1` are used up. */
export function gauss(seed: number, topic: number, a = 0, b = 0, c = 0): number {
  const radius = Math.sqrt(-2 * Math.log(1 - chance(seed, topic, a, b, c)));
  return radius * Math.cos(2 * Math.PI * chance(seed, topic, a, b, c + 1));
}

/** A draw around a median, `spread` the standard deviation of its logarithm. */
export function logNormal(median: number, spread: number, normal: number): number {
  return median * Math.exp(spread * normal);
}

/** The entry of a list that a draw in [0, 1) falls on. */
export function pick<T>(list: readonly T[], draw: number): T {
  return list[Math.floor(draw * list.length)] as T;
}

/** A number for a text, to be a part of a draw (FNV-1a). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}

/** A UUID version 4 in form, made of draws. */
export function uuid(seed: number, topic: number, a: number): string {
  let hex = '';
  for (let i = 0; i < 4; i++) {
    const word = Math.floor(chance(seed, topic, a, i, 7) * 0x1_0000_0000);
    hex += word.toString(16).padStart(8, '0');
  }
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}
