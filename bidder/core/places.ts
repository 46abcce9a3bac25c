import { type Cell, type Cover, type Fence, fenceRadius, parentCell, resolutionOf, splitCell } from '../../proto/fence.ts';
import { groupBy, mixed, NumberList, slotsFor, startsOf } from './layout.ts';

/**
 * Cells of a place at most; of more the finest give way to their parents, which are asked exactly. 91 cells a circle of 300 m were
 * 3 GB for 100,000 of them, eight are 20 MB, and cost a request one or two distances more.
 */
const CELLS_OF_CIRCLE = 8;
/** A polygon is dearer to ask. */
const CELLS_OF_POLYGON = 48;
const COARSEST = 7;

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
    for (const { high, low, boundary } of coarsened(cover, circle ? CELLS_OF_CIRCLE : CELLS_OF_POLYGON)) {
      this.#cellHigh.push(high);
      this.#cellLow.push(low);
      this.#cellPlaces.push(place * 2 + (boundary ? 1 : 0));
      this.resolutions |= 1 << resolutionOf(high);
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

interface CoveringCell extends Cell {
  readonly boundary: boolean;
}

/**
 * The same cover of fewer cells. A point's coarser cells are its finest cell's parents, so what a cell held its parent holds; but of
 * what else the parent holds nothing is known, so it must be asked.
 */
function coarsened({ inner, boundary }: Cover, most: number): Iterable<CoveringCell> {
  let cells = new Map<number, CoveringCell>();
  for (const text of inner) keep(cells, { ...splitCell(text), boundary: false });
  for (const text of boundary) keep(cells, { ...splitCell(text), boundary: true });
  for (let finest = 15; cells.size > most && finest > COARSEST; finest--) {
    const fewer = new Map<number, CoveringCell>();
    for (const cell of cells.values())
      keep(fewer, resolutionOf(cell.high) < finest ? cell : { ...parentCell(cell, finest - 1), boundary: true });
    cells = fewer;
  }
  return cells.values();
}

/** Below resolution 12 nothing is kept, so 20 bits of each half tell cells apart. */
function keep(cells: Map<number, CoveringCell>, cell: CoveringCell): void {
  const key = (cell.high & 0xf_ffff) * 0x10_0000 + (cell.low >>> 12);
  const known = cells.get(key);
  if (known === undefined || (cell.boundary && !known.boundary)) cells.set(key, cell);
}
