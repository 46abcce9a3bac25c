/**
 * Identifiers by number: keys of 16 bytes, as the warehouse writes a UUID in RowBinary, in an open hash table.
 * 24 bytes an identifier at a full table, 40 in the mean.
 */
export class NodeTable {
  size = 0;
  /** Four words a node. */
  words: Uint32Array;
  #slots: Uint32Array;
  #mask: number;

  constructor(expected = 1_024) {
    let capacity = 16;
    while (capacity < expected * 2) capacity *= 2;
    this.words = new Uint32Array(capacity * 2);
    this.#slots = new Uint32Array(capacity);
    this.#mask = capacity - 1;
  }

  /** The number of the key that begins at `at`; a key that is not known gets the next. */
  add(bytes: Buffer, at: number): number {
    const a = bytes.readUInt32LE(at);
    const b = bytes.readUInt32LE(at + 4);
    const c = bytes.readUInt32LE(at + 8);
    const d = bytes.readUInt32LE(at + 12);
    const words = this.words;
    const slots = this.#slots;
    let slot = hashOf(a, b, c, d) & this.#mask;
    for (;;) {
      const entry = slots[slot] as number;
      if (entry === 0) break;
      const word = (entry - 1) * 4;
      if (words[word] === a && words[word + 1] === b && words[word + 2] === c && words[word + 3] === d) return entry - 1;
      slot = (slot + 1) & this.#mask;
    }
    const node = this.size++;
    slots[slot] = node + 1;
    const word = node * 4;
    words[word] = a;
    words[word + 1] = b;
    words[word + 2] = c;
    words[word + 3] = d;
    if (this.size * 2 >= slots.length) this.#grow();
    return node;
  }

  #grow(): void {
    const capacity = this.#slots.length * 2;
    const words = new Uint32Array(capacity * 2);
    words.set(this.words);
    this.words = words;
    this.#mask = capacity - 1;
    const slots = new Uint32Array(capacity);
    for (let node = 0; node < this.size; node++) {
      const word = node * 4;
      let slot = hashAt(words, word) & this.#mask;
      while (slots[slot] !== 0) slot = (slot + 1) & this.#mask;
      slots[slot] = node + 1;
    }
    this.#slots = slots;
  }

  /** Order of two nodes by their keys: the same whatever order they were met in. */
  compare(x: number, y: number): number {
    for (let word = 0; word < 4; word++) {
      const difference = (this.words[x * 4 + word] as number) - (this.words[y * 4 + word] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  }

  /** The node's key as text. RowBinary holds the two halves of a UUID as 64-bit numbers, little endian. */
  uuid(node: number): string {
    const at = node * 4;
    const [a, b, c, d] = [hex(this.words, at + 1), hex(this.words, at), hex(this.words, at + 3), hex(this.words, at + 2)];
    return `${a}-${b.slice(0, 4)}-${b.slice(4)}-${c.slice(0, 4)}-${c.slice(4)}${d}`;
  }
}

function hashAt(words: Uint32Array, at: number): number {
  return hashOf(words[at] as number, words[at + 1] as number, words[at + 2] as number, words[at + 3] as number);
}

/** Keys are random but for those of tests, which count up in one word. */
function hashOf(a: number, b: number, c: number, d: number): number {
  let hash = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ c, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13) ^ d, 0x27d4eb2f);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hex(words: Uint32Array, at: number): string {
  const word = words[at] as number;
  return `${BYTE[word >>> 24]}${BYTE[(word >>> 16) & 255]}${BYTE[(word >>> 8) & 255]}${BYTE[word & 255]}`;
}
