import { type Cover, type Fence, fenceRadius, splitCell } from '../../proto/fence.ts';
import { groupBy, mixed, NumberList, slotsFor, startsOf } from './layout.ts';

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
    if (fence.type === 'circle') this.#shapes.push(fence.lat, fence.lon, fence.radius, fence.radius);
    else {
      this.#shapes.push(0, 0, Number.NaN, fenceRadius(fence));
      for (const ring of fence.rings) {
        this.#ringStarts.push(this.#corners.length / 2);
        for (const [lon, lat] of ring) this.#corners.push(lon, lat);
      }
    }
    for (const cell of cover.inner) this.#addCell(cell, place * 2);
    for (const cell of cover.boundary) this.#addCell(cell, place * 2 + 1);
    return place;
  }

  #addCell(cell: string, place: number): void {
    const { high, low } = splitCell(cell);
    this.#cellHigh.push(high);
    this.#cellLow.push(low);
    this.#cellPlaces.push(place);
    this.resolutions |= 1 << resolutionOf(high);
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

/** Bits 52 to 55 of a cell. */
function resolutionOf(high: number): number {
  return (high >>> 20) & 15;
}
