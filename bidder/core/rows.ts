import type { NoBidReason } from '../../proto/no-bid.ts';
import type { Shape } from '../../proto/shapes.ts';
import type { BidRequest, Imp } from '../openrtb/request.ts';
import { ROWS } from './clauses.ts';
import { wordsFor } from './compile.ts';
import type { Sections } from './layout.ts';
import type { DimensionName, Meta } from './meta.ts';
import type { Question } from './question.ts';
import { mayFit } from './shapes.ts';

/** What a request is of a dimension; null: it does not say. */
export function statedOf(name: DimensionName, { request, exchange }: Question): string | null {
  const { device, inventory } = request;
  switch (name) {
    case 'exchange':
      return exchange.id;
    case 'inventory':
      return inventory.kind;
    case 'deviceType':
      return device.type === null ? null : String(device.type);
    case 'os':
      return device.os;
    case 'connectionType':
      return device.connectionType === null ? null : String(device.connectionType);
    case 'language':
      return device.language;
  }
}

/** The rows of bits that a line item must be in for a request: of its exchange, its device and so on, and of shapes that may fit its imps. */
export class Rows {
  readonly #meta: Meta;
  readonly #rows: Uint32Array;
  readonly #live: Uint32Array;
  readonly #counts: Uint32Array;
  readonly #words: number;
  readonly #values: readonly ReadonlyMap<string, number>[];
  /** By their first words: rows that a line item must be in, those of the dimensions first. */
  readonly #wanted: Uint32Array;
  #wantedCount = 0;
  /** Rows of which it must be in one, of all imps; and one after the other those of each imp. */
  readonly #shapes: Uint32Array;
  #shapeCount = 0;
  #ofImps: Uint32Array;
  /** Any shape may fit some imp. */
  #anyShape = true;

  /** `counts`: by row of a dimension, requests that were of it. */
  constructor(meta: Meta, { rows, live }: Sections, counts: Uint32Array) {
    this.#meta = meta;
    this.#rows = rows;
    this.#live = live;
    this.#counts = counts;
    this.#words = wordsFor(meta.size);
    this.#values = meta.dimensions.map(({ values }) => new Map(values.map((value, number) => [value, number])));
    this.#wanted = new Uint32Array(meta.dimensions.length + 1);
    this.#shapes = new Uint32Array(meta.shapes.length);
    this.#ofImps = new Uint32Array(meta.shapes.length + 1);
  }

  get words(): number {
    return this.#words;
  }

  pick(question: Question): void {
    const { dimensions } = this.#meta;
    for (let i = 0; i < dimensions.length; i++) {
      const { name, row } = dimensions[i] as (typeof dimensions)[number];
      const value = statedOf(name, question);
      const number = value === null ? undefined : (this.#values[i] as ReadonlyMap<string, number>).get(value);
      const picked = number === undefined ? row : row + 1 + number;
      this.#counts[picked] = (this.#counts[picked] as number) + 1;
      this.#wanted[i] = picked * this.#words;
    }
    this.#wantedCount = dimensions.length;
    if (question.childOnly) this.#wanted[this.#wantedCount++] = ROWS.childSafe * this.#words;
    this.#pickShapes(question.request);
  }

  /** Of each imp: how many rows, then these. */
  #pickShapes({ imps }: BidRequest): void {
    const { shapes, shapeRow } = this.#meta;
    const stride = shapes.length + 1;
    if (this.#ofImps.length < imps.length * stride) this.#ofImps = new Uint32Array(imps.length * stride * 2);
    const ofImps = this.#ofImps;
    for (let at = 0; at < imps.length; at++) ofImps[at * stride] = 0;
    let count = 0;
    for (let shape = 0; shape < shapes.length; shape++) {
      const row = (shapeRow + shape) * this.#words;
      let any = false;
      for (let at = 0; at < imps.length; at++) {
        if (!mayFit(shapes[shape] as Shape, imps[at] as Imp)) continue;
        const own = (ofImps[at * stride] as number) + 1;
        ofImps[at * stride] = own;
        ofImps[at * stride + own] = row;
        any = true;
      }
      if (any) this.#shapes[count++] = row;
    }
    this.#shapeCount = count;
    this.#anyShape = count === shapes.length;
  }

  /** Whether no creative of any line item may fit any imp. */
  get fitsNothing(): boolean {
    return this.#shapeCount === 0;
  }

  /** Whether a creative of any line item may fit an imp, by its number in the request. */
  fits(imp: number): boolean {
    return (this.#ofImps[imp * (this.#meta.shapes.length + 1)] as number) > 0;
  }

  /** Whether a line item has a creative that may fit an imp, by its number in the request. Cheaper than to try it. */
  mayFit(position: number, imp: number): boolean {
    const start = imp * (this.#meta.shapes.length + 1);
    const ofImps = this.#ofImps;
    const rows = this.#rows;
    const word = position >>> 5;
    const bit = 1 << (position & 31);
    const end = start + (ofImps[start] as number);
    for (let i = start + 1; i <= end; i++) if (((rows[(ofImps[i] as number) + word] as number) & bit) !== 0) return true;
    return false;
  }

  /** Whether a line item has a creative that may fit some imp. */
  isShaped(position: number): boolean {
    if (this.#anyShape) return true;
    const rows = this.#rows;
    const word = position >>> 5;
    const bit = 1 << (position & 31);
    for (let i = 0; i < this.#shapeCount; i++)
      if (((rows[(this.#shapes[i] as number) + word] as number) & bit) !== 0) return true;
    return false;
  }

  /** Whether a line item is live and in all rows of the request, whatever the shapes of its creatives. */
  hold(position: number): boolean {
    const rows = this.#rows;
    const wanted = this.#wanted;
    const word = position >>> 5;
    const bit = 1 << (position & 31);
    for (let i = 0; i < this.#wantedCount; i++) if (((rows[(wanted[i] as number) + word] as number) & bit) === 0) return false;
    return ((this.#live[word] as number) & bit) !== 0;
  }

  /** Which of 32 line items are live and in all rows of the request. Sizes rule out most, so they are asked first. */
  wordOf(word: number, shaped: boolean): number {
    const rows = this.#rows;
    let bits = this.#live[word] as number;
    if (shaped && !this.#anyShape) {
      let shapes = 0;
      for (let i = 0; i < this.#shapeCount; i++) shapes |= rows[(this.#shapes[i] as number) + word] as number;
      bits &= shapes;
    }
    for (let i = 0; i < this.#wantedCount && bits !== 0; i++) bits &= rows[(this.#wanted[i] as number) + word] as number;
    return bits;
  }

  isLive(position: number): boolean {
    return isIn(this.#live, 0, position);
  }

  isChildSafe(position: number): boolean {
    return isIn(this.#rows, ROWS.childSafe * this.#words, position);
  }

  /** Whether a line item is in the request's row of a dimension, by its number in `meta`. */
  isInRow(dimension: number, position: number): boolean {
    return isIn(this.#rows, this.#wanted[dimension] as number, position);
  }

  /** Bits of 32 line items that are bound to no place. */
  unbound(word: number): number {
    const rows = this.#rows;
    return (rows[ROWS.broad * this.#words + word] as number) | (rows[ROWS.posted * this.#words + word] as number);
  }

  /** Line items bound to no place that are in all rows of the request, dearest first; few, into `found`. */
  findUnbound(most: number, found: number[]): void {
    for (let word = 0; word < this.#words && found.length < most; word++) {
      let bits = this.unbound(word);
      if (bits !== 0) bits &= this.wordOf(word, false);
      for (; bits !== 0 && found.length < most; bits &= bits - 1) found.push(word * 32 + (31 - Math.clz32(bits & -bits)));
    }
  }

  /** Of the line items bound to no place, how far the furthest came through the rows: the first row that stopped all of them. */
  reason(childOnly: boolean): NoBidReason {
    const rows = this.#rows;
    let depth = 0;
    for (let word = 0; word < this.#words && depth <= this.#wantedCount; word++) {
      let bits = (this.#live[word] as number) & this.unbound(word);
      let passed = 0;
      for (; passed < this.#wantedCount && bits !== 0; passed++) bits &= rows[(this.#wanted[passed] as number) + word] as number;
      if (bits !== 0) return 'no_line_item';
      depth = Math.max(depth, passed);
    }
    if (depth === 0) return 'no_line_item';
    const stopped = this.#meta.dimensions[depth - 1];
    if (stopped === undefined) return childOnly ? 'privacy' : 'no_line_item';
    return ROW_REASONS[stopped.name];
  }
}

export const ROW_REASONS: Readonly<Record<DimensionName, NoBidReason>> = {
  exchange: 'no_line_item',
  inventory: 'inventory',
  deviceType: 'unsupported_device',
  os: 'unsupported_device',
  connectionType: 'unsupported_device',
  language: 'unsupported_device',
};

function isIn(bits: Uint32Array, offset: number, position: number): boolean {
  return (((bits[offset + (position >>> 5)] as number) >>> (position & 31)) & 1) === 1;
}
