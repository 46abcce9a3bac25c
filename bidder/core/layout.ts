/**
 * How an index lies in one buffer, so that it is handed over as it is and opened without parsing:
 *
 *   0    'WKIX', UInt32 format, UInt32 version of the snapshot, UInt32 number of sections
 *   16   Float64 length of the whole
 *   24   for each section Float64 offset and Float64 bytes, in the order of `SECTIONS`
 *   …    the sections, each at a multiple of eight
 *
 * All numbers are in the machine's own order (little endian on every machine that Node runs on).
 */

export const MAGIC = 0x5849_4b57;
export const FORMAT = 2;
const HEAD = 24;
const ENTRY = 16;

/** A position is a line item's number: line items lie by falling `maxCpm`, then as in the snapshot. */
const SECTIONS = {
  /** JSON: what is small, see `Meta`. */
  meta: Uint8Array,
  /** A bit for each position: not paused. */
  live: Uint32Array,
  /** Rows of bits, one bit for each position, see `ROWS`. */
  rows: Uint32Array,
  /** By position. */
  maxCpm: Float64Array,
  start: Float64Array,
  end: Float64Array,
  flags: Uint8Array,
  currency: Uint16Array,
  /** Clauses of a position: [head, literals…] again and again, see `clauses.ts`. */
  clauseStart: Uint32Array,
  clauses: Uint32Array,
  /** Of a position: 1 + rule of distance or 0, then the stores that it promotes. */
  promotedStart: Uint32Array,
  promoted: Uint32Array,
  /** Pairs of `halvesEvery` and `floorShare`. */
  distances: Float64Array,
  /** JSON of line items as they were published, see `records.ts`. */
  recordStart: Uint32Array,
  recordLength: Uint32Array,
  records: Uint8Array,
  /** By term: positions that are looked at where it holds, ascending. */
  postingStart: Uint32Array,
  postings: Uint32Array,
  /** Own segments: hash of numbers to entries; of an entry the ages in hours and the terms that they make true. */
  segmentSlots: Uint32Array,
  segmentStart: Uint32Array,
  segmentHours: Uint32Array,
  segmentTerms: Uint32Array,
  /** Texts by kind, see `dictionary.ts`. */
  textKinds: Uint8Array,
  textStart: Uint32Array,
  textBytes: Uint8Array,
  textValues: Uint32Array,
  textSlots: Uint32Array,
  /** By entry of inventory lists: the terms of the lists that hold it. */
  listedStart: Uint32Array,
  listed: Uint32Array,
  /** JSON of terms that are asked only when a line item gets there. */
  lateStart: Uint32Array,
  lateBytes: Uint8Array,
  /** Places: hash of cells, places of a cell (doubled, plus 1 where the place must be asked exactly). */
  cellSlots: Uint32Array,
  cellStart: Uint32Array,
  cellPlaces: Uint32Array,
  /** Of a place: latitude, longitude and radius of a circle (NaN: a polygon), radius that a signal must be better than. */
  placeShapes: Float64Array,
  /** Rings of a place, corners of a ring, longitude and latitude of a corner. */
  placeRings: Uint32Array,
  ringStart: Uint32Array,
  corners: Float64Array,
  /** 1 + store of a place, 0: none. */
  placeStores: Uint32Array,
  placeItemStart: Uint32Array,
  placeItems: Uint32Array,
  /** JSON of stores. */
  storeStart: Uint32Array,
  storeBytes: Uint8Array,
} as const;

export type SectionName = keyof typeof SECTIONS;
export type Sections = { readonly [Name in SectionName]: InstanceType<(typeof SECTIONS)[Name]> };
const NAMES = Object.keys(SECTIONS) as SectionName[];

/** What of a section is written: one array, or several one after the other. */
type Parts = { readonly [Name in SectionName]: Sections[Name] | readonly Uint8Array[] };

/** An index as bytes that belong one behind the other: most of them are there already, and who only writes them to a file need not copy them. */
export type Pieces = readonly Uint8Array[];

export function writeSections(version: number, parts: Parts): Pieces {
  const head = new DataView(new ArrayBuffer(HEAD + ENTRY * NAMES.length));
  const pieces: Uint8Array[] = [new Uint8Array(head.buffer)];
  let at = head.byteLength;
  NAMES.forEach((name, index) => {
    const part = parts[name];
    const own = ArrayBuffer.isView(part) ? [new Uint8Array(part.buffer, part.byteOffset, part.byteLength)] : part;
    const length = lengthOf(own);
    head.setFloat64(HEAD + ENTRY * index, at, true);
    head.setFloat64(HEAD + ENTRY * index + 8, length, true);
    for (const piece of own) pieces.push(piece);
    pieces.push(new Uint8Array(padded(length) - length));
    at += padded(length);
  });
  head.setUint32(0, MAGIC, true);
  head.setUint32(4, FORMAT, true);
  head.setUint32(8, version, true);
  head.setUint32(12, NAMES.length, true);
  head.setFloat64(16, at, true);
  return pieces;
}

export function lengthOf(pieces: Pieces): number {
  return pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

export function joined(pieces: Pieces): ArrayBuffer {
  const bytes = new Uint8Array(lengthOf(pieces));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes.buffer;
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/** Views of the sections; nothing is copied. Throws an Error that says why the buffer is no index of ours. */
export function readSections(buffer: ArrayBufferLike): Sections {
  if (buffer.byteLength < HEAD) throw new Error(`index: cut short to ${buffer.byteLength} bytes`);
  const head = new DataView(buffer);
  if (head.getUint32(0, true) !== MAGIC) throw new Error('index: not an index');
  if (head.getUint32(4, true) !== FORMAT) throw new Error(`index: format ${head.getUint32(4, true)} is not ${FORMAT}`);
  const total = head.getFloat64(16, true);
  if (buffer.byteLength !== total) throw new Error(`index: ${buffer.byteLength} bytes where it says ${total}`);
  if (head.getUint32(12, true) !== NAMES.length) throw new Error(`index: ${head.getUint32(12, true)} sections`);
  const view = <Name extends SectionName>(name: Name): Sections[Name] => {
    const entry = HEAD + ENTRY * NAMES.indexOf(name);
    const offset = head.getFloat64(entry, true);
    const bytes = head.getFloat64(entry + 8, true);
    if (!(offset >= 0 && offset + bytes <= total)) throw new Error(`index: section ${name} lies outside`);
    const View = SECTIONS[name] as unknown as new (buffer: ArrayBufferLike, offset: number, length: number) => Sections[Name];
    return new View(buffer, offset, bytes / SECTIONS[name].BYTES_PER_ELEMENT);
  };
  // Written out: an object that gets so many fields by their names is a hash table, and each use of one a search.
  return {
    meta: view('meta'),
    live: view('live'),
    rows: view('rows'),
    maxCpm: view('maxCpm'),
    start: view('start'),
    end: view('end'),
    flags: view('flags'),
    currency: view('currency'),
    clauseStart: view('clauseStart'),
    clauses: view('clauses'),
    promotedStart: view('promotedStart'),
    promoted: view('promoted'),
    distances: view('distances'),
    recordStart: view('recordStart'),
    recordLength: view('recordLength'),
    records: view('records'),
    postingStart: view('postingStart'),
    postings: view('postings'),
    segmentSlots: view('segmentSlots'),
    segmentStart: view('segmentStart'),
    segmentHours: view('segmentHours'),
    segmentTerms: view('segmentTerms'),
    textKinds: view('textKinds'),
    textStart: view('textStart'),
    textBytes: view('textBytes'),
    textValues: view('textValues'),
    textSlots: view('textSlots'),
    listedStart: view('listedStart'),
    listed: view('listed'),
    lateStart: view('lateStart'),
    lateBytes: view('lateBytes'),
    cellSlots: view('cellSlots'),
    cellStart: view('cellStart'),
    cellPlaces: view('cellPlaces'),
    placeShapes: view('placeShapes'),
    placeRings: view('placeRings'),
    ringStart: view('ringStart'),
    corners: view('corners'),
    placeStores: view('placeStores'),
    placeItemStart: view('placeItemStart'),
    placeItems: view('placeItems'),
    storeStart: view('storeStart'),
    storeBytes: view('storeBytes'),
  };
}

/** An array of numbers that grows; half of it may be air until it is cut. */
export class NumberList {
  #array: Uint32Array<ArrayBuffer> = new Uint32Array(1_024);
  length = 0;

  push(value: number): void {
    if (this.length === this.#array.length) {
      const wider = new Uint32Array(this.length * 2);
      wider.set(this.#array);
      this.#array = wider;
    }
    this.#array[this.length++] = value;
  }

  at(index: number): number {
    return this.#array[index] as number;
  }

  set(index: number, value: number): void {
    this.#array[index] = value;
  }

  /** A view of what is in it, which the next `push` may leave behind. */
  view(): Uint32Array<ArrayBuffer> {
    return this.#array.subarray(0, this.length);
  }
}

/** Bytes that grow by pieces, so that a large whole is copied once. */
export class ByteList {
  static readonly PIECE = 1 << 22;
  readonly #full: Uint8Array[] = [];
  #piece = new Uint8Array(ByteList.PIECE);
  #used = 0;
  #before = 0;

  get length(): number {
    return this.#before + this.#used;
  }

  push(bytes: Uint8Array): void {
    if (this.#used + bytes.length > this.#piece.length) {
      this.#full.push(this.#piece.subarray(0, this.#used));
      this.#before += this.#used;
      this.#piece = new Uint8Array(Math.max(ByteList.PIECE, bytes.length));
      this.#used = 0;
    }
    this.#piece.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  parts(): Uint8Array[] {
    return [...this.#full, this.#piece.subarray(0, this.#used)];
  }
}

/** Starts of `count + 1` runs where each element of `keys` adds one to the run of its key. */
export function startsOf(keys: Uint32Array, count: number): Uint32Array<ArrayBuffer> {
  const starts = new Uint32Array(count + 1);
  for (let i = 0; i < keys.length; i++) (starts[(keys[i] as number) + 1] as number)++;
  for (let i = 0; i < count; i++) starts[i + 1] = (starts[i + 1] as number) + (starts[i] as number);
  return starts;
}

/** Values by the runs of their keys, in the order in which they come. */
export function groupBy(keys: Uint32Array, values: Uint32Array, starts: Uint32Array): Uint32Array<ArrayBuffer> {
  const next = starts.slice();
  const grouped = new Uint32Array(values.length);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as number;
    grouped[next[key] as number] = values[i] as number;
    (next[key] as number)++;
  }
  return grouped;
}

/** A well-mixed 32-bit number (the finalizer of MurmurHash3, Appleby, public domain). */
export function mixed(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85eb_ca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Slots of an open-addressing table that holds so many: a power of two, at most two thirds full. */
export function slotsFor(count: number): number {
  let slots = 4;
  while (slots * 2 < count * 3) slots *= 2;
  return slots;
}
