import { CELL_RESOLUTION, COARSEST_RESOLUTION, type Cover, type Fence, fenceRadius, splitCell } from '../../proto/fence.ts';
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
  readonly #shapes: number[] = [];
  readonly #stores = new NumberList();
  readonly #rings = new NumberList();
  readonly #ringStarts = new NumberList();
  readonly #corners: number[] = [];
  readonly #cellHigh = new NumberList();
  readonly #cellLow = new NumberList();
  readonly #cellPlaces = new NumberList();
  readonly #items = new NumberList();
  readonly #itemPlaces = new NumberList();
  resolutions = 0;

  /** `store`: its number, or -1. Gives the place's number. */
  add(fence: Fence, cover: Cover, store: number): number {
    const place = this.#stores.length;
    this.#stores.push(store + 1);
    this.#rings.push(this.#ringStarts.length);
    const circle = fence.type === 'circle';
    if (fence.type === 'circle') this.#shapes.push(fence.lat, fence.lon, fence.radius, fence.radius);
    else {
      this.#shapes.push(0, 0, Number.NaN, fenceRadius(fence));
      for (const ring of fence.rings) {
        this.#ringStarts.push(this.#corners.length / 2);
        for (const [lon, lat] of ring) this.#corners.push(lon, lat);
      }
    }
    const cells = coarsened(cover, circle ? CELLS_OF_CIRCLE : CELLS_OF_POLYGON);
    for (let i = 0; i < cells.length; i++) {
      const key = Math.floor((cells[i] as number) / 2);
      const resolution = resolutionIn(key);
      this.#cellHigh.push(IS_CELL + resolution * HALF + Math.floor(key / HALF));
      this.#cellLow.push((((key % HALF) << 12) | 0xfff) >>> 0);
      this.#cellPlaces.push(place * 2 + ((cells[i] as number) % 2));
      this.resolutions |= 1 << resolution;
    }
    return place;
  }

  bind(place: number, item: number): void {
    this.#itemPlaces.push(place);
    this.#items.push(item);
  }

  /** `positions`: of the line items by their numbers. */
  sections(positions: Uint32Array) {
    this.#rings.push(this.#ringStarts.length);
    this.#ringStarts.push(this.#corners.length / 2);
    const places = this.#itemPlaces.view();
    const placeItemStart = startsOf(places, this.#stores.length);
    const placeItems = groupBy(
      places,
      this.#items.view().map((item) => positions[item] as number),
      placeItemStart,
    );
    for (let place = 0; place < this.#stores.length; place++)
      placeItems.subarray(placeItemStart[place], placeItemStart[place + 1]).sort();
    return {
      ...this.#cellSections(),
      placeShapes: Float64Array.from(this.#shapes),
      placeRings: this.#rings.view(),
      ringStart: this.#ringStarts.view(),
      corners: Float64Array.from(this.#corners),
      placeStores: this.#stores.view(),
      placeItemStart,
      placeItems,
    };
  }

  /** Slots are [high, low, 1 + number of the cell]. */
  #cellSections() {
    const high = this.#cellHigh.view();
    const low = this.#cellLow.view();
    let slots = new Uint32Array(3 * slotsFor(Math.min(high.length, 1 << 16)));
    const numbers = new Uint32Array(high.length);
    let cells = 0;
    for (let i = 0; i < high.length; i++) {
      if (cells * 3 * 3 > slots.length * 2) slots = widened(slots);
      const slot = slotOf(slots, high[i] as number, low[i] as number);
      if (slots[slot + 2] === 0) {
        slots[slot] = high[i] as number;
        slots[slot + 1] = low[i] as number;
        slots[slot + 2] = ++cells;
      }
      numbers[i] = (slots[slot + 2] as number) - 1;
    }
    const cellStart = startsOf(numbers, cells);
    return { cellSlots: slots, cellStart, cellPlaces: groupBy(numbers, this.#cellPlaces.view(), cellStart) };
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

function resolutionIn(key: number): number {
  let resolution = CELL_RESOLUTION;
  for (let rest = key; rest % 8 === 7; rest = Math.floor(rest / 8)) resolution--;
  return resolution;
}
