import {
  CELL_RESOLUTION,
  type Cell,
  COARSEST_RESOLUTION,
  type Cover,
  type Fence,
  fenceRadius,
  splitCell,
} from '../../proto/fence.ts';
import { groupBy, mixed, NumberList, slotsFor, startsOf } from './layout.ts';

/**
 * Cells of a place at most; of more the finest give way to their parents, which are asked exactly. 91 cells a circle of 300 m were
 * 3 GB for 100,000 of them, eight are 20 MB, and cost a request one or two distances more.
 */
const CELLS_OF_CIRCLE = 8;
/** A polygon is dearer to ask. */
const CELLS_OF_POLYGON = 48;

/** Writes fences as a hash of cells, and what of a fence must be asked exactly. Only of places that line items are bound to. */
export class PlaceWriter {
  readonly #fences: Fence[] = [];
  readonly #stores = new NumberList();
  /** Cells of each, as numbers of `coarsened`. */
  readonly #keyStarts = new NumberList();
  readonly #keys: number[] = [];
  readonly #items = new NumberList();
  readonly #itemPlaces = new NumberList();
  resolutions = 0;

  /** `store`: its number, or -1. Gives what `bind` is to be called with. */
  add(fence: Fence, cover: Cover, store: number): number {
    this.#fences.push(fence);
    this.#stores.push(store + 1);
    this.#keyStarts.push(this.#keys.length);
    const cells = coarsened(cover, fence.type === 'circle' ? CELLS_OF_CIRCLE : CELLS_OF_POLYGON);
    for (let i = 0; i < cells.length; i++) {
      const key = cells[i] as number;
      this.#keys.push(key);
      this.resolutions |= 1 << resolutionIn(Math.floor(key / 2));
    }
    return this.#fences.length - 1;
  }

  bind(place: number, item: number): void {
    this.#itemPlaces.push(place);
    this.#items.push(item);
  }

  /** `positions`: of the line items by their numbers. */
  sections(positions: Uint32Array) {
    this.#keyStarts.push(this.#keys.length);
    const order = this.#alongGrid();
    const numbers = new Uint32Array(order.length);
    for (let place = 0; place < order.length; place++) numbers[order[place] as number] = place;
    const places = this.#itemPlaces.view().map((place) => numbers[place] as number);
    const placeItemStart = startsOf(places, order.length);
    const placeItems = groupBy(
      places,
      this.#items.view().map((item) => positions[item] as number),
      placeItemStart,
    );
    for (let place = 0; place < order.length; place++)
      placeItems.subarray(placeItemStart[place], placeItemStart[place + 1]).sort();
    return {
      ...this.#cellSections(order),
      ...this.#shapeSections(order),
      placeStores: order.map((place) => this.#stores.at(place)),
      placeItemStart,
      placeItems,
    };
  }

  /** Places that are near to each other lie together in memory: a request asks a dozen neighbours. */
  #alongGrid(): Uint32Array<ArrayBuffer> {
    const first = (place: number): number => this.#keys[this.#keyStarts.at(place)] ?? 0;
    return Uint32Array.from(this.#fences.keys()).sort((a, b) => first(a) - first(b) || a - b);
  }

  #shapeSections(order: Uint32Array) {
    const shapes = new Float64Array(order.length * 4);
    const rings = new NumberList();
    const ringStarts = new NumberList();
    const corners: number[] = [];
    for (let place = 0; place < order.length; place++) {
      const fence = this.#fences[order[place] as number] as Fence;
      rings.push(ringStarts.length);
      if (fence.type === 'circle') {
        shapes.set([fence.lat, fence.lon, fence.radius, fence.radius], place * 4);
        continue;
      }
      shapes.set([0, 0, Number.NaN, fenceRadius(fence)], place * 4);
      for (const ring of fence.rings) {
        ringStarts.push(corners.length / 2);
        for (const [lon, lat] of ring) corners.push(lon, lat);
      }
    }
    rings.push(ringStarts.length);
    ringStarts.push(corners.length / 2);
    return {
      placeShapes: shapes,
      placeRings: rings.view(),
      ringStart: ringStarts.view(),
      corners: Float64Array.from(corners),
    };
  }

  /** Slots are [high, low, 1 + number of the cell]. */
  #cellSections(order: Uint32Array) {
    const count = this.#keys.length;
    let slots = new Uint32Array(3 * slotsFor(Math.min(count, 1 << 16)));
    const numbers = new Uint32Array(count);
    const places = new Uint32Array(count);
    let cells = 0;
    let pair = 0;
    for (let place = 0; place < order.length; place++) {
      const given = order[place] as number;
      const end = this.#keyStarts.at(given + 1);
      for (let i = this.#keyStarts.at(given); i < end; i++) {
        if (cells * 3 * 3 > slots.length * 2) slots = widened(slots);
        const key = this.#keys[i] as number;
        const { high, low } = cellOfKey(Math.floor(key / 2));
        const slot = slotOf(slots, high, low);
        if (slots[slot + 2] === 0) {
          slots[slot] = high;
          slots[slot + 1] = low;
          slots[slot + 2] = ++cells;
        }
        numbers[pair] = (slots[slot + 2] as number) - 1;
        places[pair++] = place * 2 + (key % 2);
      }
    }
    const cellStart = startsOf(numbers, cells);
    return { cellSlots: slots, cellStart, cellPlaces: groupBy(numbers, places, cellStart) };
  }
}

/** Where in the slots a cell is, or would be. */
export function slotOf(slots: Uint32Array, high: number, low: number): number {
  const mask = slots.length / 3 - 1;
  for (let slot = mixed(high ^ Math.imul(low, 0x9e37_79b1)) & mask; ; slot = (slot + 1) & mask) {
    const at = slot * 3;
    if (slots[at + 2] === 0 || (slots[at] === high && slots[at + 1] === low)) return at;
  }
}

function widened(slots: Uint32Array): Uint32Array<ArrayBuffer> {
  const wider = new Uint32Array(slots.length * 2);
  for (let at = 0; at < slots.length; at += 3) {
    if (slots[at + 2] === 0) continue;
    const slot = slotOf(wider, slots[at] as number, slots[at + 1] as number);
    for (let part = 0; part < 3; part++) wider[slot + part] = slots[at + part] as number;
  }
  return wider;
}

/** Of a cell so many bits tell it apart: base cell and digits 1 to 4 above, digits 5 to 11 below. A digit of 7: coarser than that. */
const HALF = 2 ** 20;
/** Set in every cell: it is a cell, and not an edge or a corner. */
const IS_CELL = 0x800_0000;

let scratch = new Float64Array(256);

/**
 * The same cover of fewer cells, as numbers: the bits that tell a cell apart, doubled, plus 1 where it must be asked. A point's coarser
 * cells are its finest cell's parents, so what a cell held its parent holds; but of what else the parent holds nothing is known.
 */
function coarsened({ inner, boundary }: Cover, most: number): Float64Array {
  const given = inner.length + boundary.length;
  if (given > scratch.length) scratch = new Float64Array(given * 2);
  let count = 0;
  for (let i = 0; i < inner.length; i++) scratch[count++] = keyOf(inner[i] as string) * 2;
  for (let i = 0; i < boundary.length; i++) scratch[count++] = keyOf(boundary[i] as string) * 2 + 1;
  scratch.subarray(0, count).sort();
  count = withoutRepeats(count);
  // Cells of one parent are neighbours, and a parent comes after them: so the order stays as it is.
  for (let resolution = CELL_RESOLUTION; count > most && resolution > COARSEST_RESOLUTION; resolution--) {
    const unit = 8 ** (CELL_RESOLUTION - resolution);
    for (let i = 0; i < count; i++) {
      const key = Math.floor((scratch[i] as number) / 2);
      const digit = Math.floor(key / unit) % 8;
      if (digit !== 7) scratch[i] = (key + (7 - digit) * unit) * 2 + 1;
    }
    count = withoutRepeats(count);
  }
  return scratch.subarray(0, count);
}

/** Of a cell that is there twice the one that must be asked is kept, which comes last. */
function withoutRepeats(count: number): number {
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const key = scratch[i] as number;
    if (kept > 0 && Math.floor((scratch[kept - 1] as number) / 2) === Math.floor(key / 2)) kept--;
    scratch[kept++] = key;
  }
  return kept;
}

/** Digits that are finer than a cell are 7 already. */
function keyOf(cell: string): number {
  const { high, low } = splitCell(cell);
  return (high & (HALF - 1)) * HALF + (low >>> 12);
}

function cellOfKey(key: number): Cell {
  const high = IS_CELL + resolutionIn(key) * HALF + Math.floor(key / HALF);
  return { high, low: (((key % HALF) << 12) | 0xfff) >>> 0 };
}

function resolutionIn(key: number): number {
  let resolution = CELL_RESOLUTION;
  for (let rest = key; rest % 8 === 7; rest = Math.floor(rest / 8)) resolution--;
  return resolution;
}
