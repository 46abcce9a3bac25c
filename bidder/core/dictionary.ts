import { mixed, NumberList, type Sections, slotsFor } from './layout.ts';

/** Texts of several kinds, each with a number: an open-addressing hash in the buffer, compared exactly. */

/** What a text is. The numbers are in buffers: never reuse one. */
export const TEXT = {
  lineItem: 1,
  advertiser: 2,
  make: 3,
  model: 4,
  browser: 5,
  carrier: 6,
  geo: 7,
  category: 8,
  contentLanguage: 9,
  userData: 10,
  eid: 11,
  deal: 12,
  domainEntry: 13,
  bundleEntry: 14,
  siteEntry: 15,
  appEntry: 16,
  publisherEntry: 17,
  /** ads.txt by domain, its entries as `<domain>\n<asi>/<account>`; sellers.json by domain, its sellers as `<domain>\n<id>`. */
  adsTxt: 18,
  adsTxtEntry: 19,
  sellers: 20,
  seller: 21,
  /** Plus the number of a dimension: its values beyond those that have rows. */
  value: 32,
} as const;

/** No such text. */
export const NONE = 0xffff_ffff;

let scratch = Buffer.alloc(1_024);

/** UTF-8 bytes of a text in `scratch`, and how many. */
function write(text: string): number {
  const { length } = text;
  if (length * 3 > scratch.length) scratch = Buffer.alloc(length * 6);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return scratch.write(text, 0, 'utf8');
    scratch[i] = code;
  }
  return length;
}

function hashOf(kind: number, length: number): number {
  let hash = Math.imul(kind + 1, 0x9e37_79b1);
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (scratch[i] as number), 0x0100_0193);
  return mixed(hash);
}

/** Collects texts. A text of a kind is there once. */
export class DictionaryBuilder {
  readonly #kinds = new NumberList();
  readonly #starts = new NumberList();
  readonly #hashes = new NumberList();
  readonly #values = new NumberList();
  #slots: Uint32Array<ArrayBuffer> = new Uint32Array(slotsFor(1_024));
  #bytes = Buffer.alloc(1 << 16);
  #length = 0;

  /** The value of a text, which is `value` where it is new. */
  add(kind: number, text: string, value: number): number {
    const length = write(text);
    const hash = hashOf(kind, length);
    const slot = this.#slotOf(kind, hash, length);
    const entry = this.#slots[slot] as number;
    if (entry > 0) return this.#values.at(entry - 1);
    this.#append(kind, hash, length, value);
    this.#slots[slot] = this.#values.length;
    if (this.#values.length * 3 > this.#slots.length * 2) this.#widen();
    return value;
  }

  /** The value of a text, `NONE` where it is not there. */
  find(kind: number, text: string): number {
    const length = write(text);
    const entry = this.#slots[this.#slotOf(kind, hashOf(kind, length), length)] as number;
    return entry === 0 ? NONE : this.#values.at(entry - 1);
  }

  #slotOf(kind: number, hash: number, length: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] as number;
      if (entry === 0 || (this.#hashes.at(entry - 1) === hash && this.#isSame(entry - 1, kind, length))) return slot;
    }
  }

  #isSame(entry: number, kind: number, length: number): boolean {
    const start = this.#starts.at(entry);
    const end = entry + 1 < this.#starts.length ? this.#starts.at(entry + 1) : this.#length;
    if (this.#kinds.at(entry) !== kind || end - start !== length) return false;
    return this.#bytes.compare(scratch, 0, length, start, end) === 0;
  }

  #append(kind: number, hash: number, length: number, value: number): void {
    const start = this.#length;
    this.#starts.push(start);
    this.#kinds.push(kind);
    this.#hashes.push(hash);
    this.#values.push(value);
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const wider = Buffer.alloc(Math.max(this.#bytes.length * 2, this.#length));
      this.#bytes.copy(wider);
      this.#bytes = wider;
    }
    scratch.copy(this.#bytes, start, 0, length);
  }

  #widen(): void {
    this.#slots = slotsOf(this.#hashes.view(), this.#slots.length * 2);
  }

  /** Values of `kinds` are line items by number, and become their positions. */
  sections(kinds: ReadonlySet<number>, positions: Uint32Array) {
    this.#starts.push(this.#length);
    for (let entry = 0; entry < this.#values.length; entry++)
      if (kinds.has(this.#kinds.at(entry))) this.#values.set(entry, positions[this.#values.at(entry)] as number);
    return {
      textKinds: Uint8Array.from(this.#kinds.view()),
      textStart: this.#starts.view(),
      textBytes: this.#bytes.subarray(0, this.#length),
      textValues: this.#values.view(),
      textSlots: this.#slots,
    };
  }
}

function slotsOf(hashes: Uint32Array, count: number): Uint32Array<ArrayBuffer> {
  const slots = new Uint32Array(count);
  const mask = count - 1;
  for (let entry = 0; entry < hashes.length; entry++) {
    let slot = (hashes[entry] as number) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = entry + 1;
  }
  return slots;
}

/** The value of a text of a kind, `NONE` where it is not there. Makes nothing where the text is ASCII. */
export function findText(
  { textKinds, textStart, textBytes, textValues, textSlots }: Sections,
  kind: number,
  text: string,
): number {
  const length = write(text);
  const mask = textSlots.length - 1;
  for (let slot = hashOf(kind, length) & mask; ; slot = (slot + 1) & mask) {
    const entry = textSlots[slot] as number;
    if (entry === 0) return NONE;
    if (textKinds[entry - 1] !== kind) continue;
    const start = textStart[entry - 1] as number;
    if ((textStart[entry] as number) - start !== length) continue;
    let same = 0;
    while (same < length && textBytes[start + same] === scratch[same]) same++;
    if (same === length) return textValues[entry - 1] as number;
  }
}
