/** Values of the base64url alphabet by character code, 255 elsewhere. */
const SEXTETS = new Uint8Array(128).fill(255);
for (const [value, char] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].entries())
  SEXTETS[char.charCodeAt(0)] = value;

/**
 * Bits of a base64url text, read in order. Never throws: what is not in the alphabet or beyond the end reads as 0 and makes the
 * reader `broken`, and a broken text is a refusal.
 */
export class Bits {
  readonly #text: string;
  #at = 0;
  broken = false;

  constructor(text: string) {
    this.#text = text;
  }

  flag(): boolean {
    return this.int(1) === 1;
  }

  /** Unsigned, at most 36 bits. */
  int(width: number): number {
    let value = 0;
    let left = width;
    let at = this.#at;
    while (left > 0) {
      const inside = at % 6;
      const taken = Math.min(left, 6 - inside);
      const part = (this.#sextet((at - inside) / 6) >> (6 - inside - taken)) & ((1 << taken) - 1);
      // Not by shifts: a time has 36 bits.
      value = value * 2 ** taken + part;
      at += taken;
      left -= taken;
    }
    this.#at = at;
    return value;
  }

  skip(width: number): void {
    this.#at += width;
    if (this.#at > this.#text.length * 6) this.broken = true;
  }

  /** Fibonacci code of a positive integer; more than a million is not one of ours and breaks the reader. */
  fibonacci(): number {
    let value = 0;
    let before = 1;
    let weight = 1;
    let previous = false;
    while (weight < 1_000_000 && !this.broken) {
      const bit = this.flag();
      if (bit && previous) return value;
      if (bit) value += weight;
      previous = bit;
      const next = before + weight;
      before = weight;
      weight = next;
    }
    this.broken = true;
    return 0;
  }

  /** For reading the same part in another way. */
  mark(): number {
    return this.#at;
  }

  back(mark: number): void {
    this.#at = mark;
    this.broken = false;
  }

  #sextet(index: number): number {
    const value = index < this.#text.length ? (SEXTETS[this.#text.charCodeAt(index)] ?? 255) : 255;
    if (value !== 255) return value;
    this.broken = true;
    return 0;
  }
}
