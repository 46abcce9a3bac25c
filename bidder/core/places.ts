import { type Cover, type Fence, fenceRadius, splitCell } from '../../proto/fence.ts';
import { groupBy, mixed, NumberList, slotsFor, startsOf } from './layout.ts';

/** A cover as numbers: of each cell its high and its low half, those first that need no look at the fence. As texts cells were half of what a compiler keeps of fences. */
export interface Cells {
  readonly halves: readonly number[];
  readonly inner: number;
}

export function cellsOf({ inner, boundary }: Cover): Cells {
  const halves: number[] = [];
  for (const cells of [inner, boundary])
    for (const cell of cells) {
      const { high, low } = splitCell(cell);
      halves.push(high, low);
    }
  return { halves, inner: inner.length };
}

/** Writes fences as a hash of cells, and what of a fence must be asked exactly. Only of places that line items are bound to. */
export class PlaceWriter {
  readonly #fences: Fence[] = [];
  readonly #stores = new NumberList();
  /** Cells of each; `asked`: 1 where the fence must be asked. */
  readonly #cellStarts = new NumberList();
  readonly #cellHigh = new NumberList();
  readonly #cellLow = new NumberList();
  readonly #asked = new NumberList();
  /** Where each lies along the grid. */
  readonly #along: number[] = [];
  readonly #items = new NumberList();
  readonly #itemPlaces = new NumberList();
  resolutions = 0;

  /** `store`: its number, or -1. Gives what `bind` is to be called with. */
  add(fence: Fence, { halves, inner }: Cells, store: number): number {
    this.#fences.push(fence);
    this.#stores.push(store + 1);
    this.#cellStarts.push(this.#asked.length);
    this.#along.push(Number.POSITIVE_INFINITY);
    for (let at = 0; at < halves.length; at += 2)
      this.#addCell(halves[at] as number, halves[at + 1] as number, at < 2 * inner ? 0 : 1);
    return this.#fences.length - 1;
  }

  #addCell(high: number, low: number, asked: 0 | 1): void {
    this.#cellHigh.push(high);
    this.#cellLow.push(low);
    this.#asked.push(asked);
    const last = this.#along.length - 1;
    this.#along[last] = Math.min(this.#along[last] as number, alongGrid(high, low));
    this.resolutions |= 1 << resolutionOf(high);
  }

  bind(place: number, item: number): void {
    this.#itemPlaces.push(place);
    this.#items.push(item);
  }

  /** `positions`: of the line items by their numbers. */
  sections(positions: Uint32Array) {
    this.#cellStarts.push(this.#asked.length);
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
    for (let place = 0; place < order.length; place++) {
      const [from, to] = [placeItemStart[place] as number, placeItemStart[place + 1] as number];
      if (to - from > 1) placeItems.subarray(from, to).sort();
    }
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
    const along = this.#along;
    return Uint32Array.from(this.#fences.keys()).sort((a, b) => (along[a] as number) - (along[b] as number) || a - b);
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
    const count = this.#asked.length;
    let slots = new Uint32Array(3 * slotsFor(Math.min(count, 1 << 16)));
    const numbers = new Uint32Array(count);
    const places = new Uint32Array(count);
    let cells = 0;
    let pair = 0;
    for (let place = 0; place < order.length; place++) {
      const given = order[place] as number;
      const end = this.#cellStarts.at(given + 1);
      for (let i = this.#cellStarts.at(given); i < end; i++) {
        if (cells * 3 * 3 > slots.length * 2) slots = widened(slots);
        const high = this.#cellHigh.at(i);
        const low = this.#cellLow.at(i);
        const slot = slotOf(slots, high, low);
        if (slots[slot + 2] === 0) {
          slots[slot] = high;
          slots[slot + 1] = low;
          slots[slot + 2] = ++cells;
        }
        numbers[pair] = (slots[slot + 2] as number) - 1;
        places[pair++] = place * 2 + this.#asked.at(i);
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

/** Bits 52 to 55 of a cell. */
function resolutionOf(high: number): number {
  return (high >>> 20) & 15;
}

/** Base cell and digits: neighbours of the grid are near to each other by it. */
function alongGrid(high: number, low: number): number {
  return (high & 0xf_ffff) * 2 ** 32 + low;
}
