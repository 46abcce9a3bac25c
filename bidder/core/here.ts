import type { NoBidReason } from '../../proto/no-bid.ts';
import { isPreciseFor, type Signal, signalOf } from '../../proto/signal.ts';
import type { LiveExchange } from '../../proto/snapshot.ts';
import type { Location } from '../openrtb/request.ts';
import { findPlaces } from './geo.ts';
import { NumberList, type Sections } from './layout.ts';
import type { Meta } from './meta.ts';
import type { Question } from './question.ts';

/** More places than any index has. */
const PLACES = 2 ** 21;
/** So few are put in order faster than by calling for it. */
const FEW = 24;

/** Where a request's device is: the places that hold it, and the line items that are bound to these. */
export class Here {
  readonly #meta: Meta;
  readonly #sections: Sections;
  /** Null where it is not known, or may not be used. */
  location: Location | null = null;
  signal: Signal | null = null;
  /** Why no fenced line item that is not here may bid. */
  #away: NoBidReason = 'outside_fence';
  readonly #found = new NumberList();
  /** Places that are too small for what is known of where the device is. */
  readonly #untrusted = new NumberList();
  /** Position × 2^21 + place, ascending. */
  #keys = new Float64Array(64);
  /** Pairs of line item and place; of a line item one after the other, the dearest first. */
  count = 0;

  constructor(meta: Meta, sections: Sections) {
    this.#meta = meta;
    this.#sections = sections;
  }

  find({ request, preciseLocation, exchange }: Question): void {
    const meta = this.#meta;
    const given = request.device.location;
    this.count = 0;
    this.#untrusted.length = 0;
    this.#away = 'outside_fence';
    this.location = preciseLocation ? given : null;
    this.signal = this.location === null ? null : signalOf(asTrusted(this.location, exchange));
    if (meta.fenced === 0) return;
    if (this.location === null || this.signal === null) {
      if (!preciseLocation && given !== null) this.#away = 'privacy';
      return;
    }
    this.#found.length = 0;
    findPlaces(this.#sections, meta.resolutions, this.location.lat, this.location.lon, this.#found);
    this.#addItems(this.signal);
    this.#order();
  }

  #addItems(signal: Signal): void {
    const { placeShapes, placeItemStart, placeItems } = this.#sections;
    for (let i = 0; i < this.#found.length; i++) {
      const place = this.#found.at(i);
      if (!isPreciseFor(signal, placeShapes[place * 4 + 3] as number)) {
        this.#away = 'untrusted_location';
        this.#untrusted.push(place);
        continue;
      }
      const end = placeItemStart[place + 1] as number;
      for (let at = placeItemStart[place] as number; at < end; at++) this.#add((placeItems[at] as number) * PLACES + place);
    }
  }

  #add(key: number): void {
    if (this.count === this.#keys.length) {
      const wider = new Float64Array(this.count * 2);
      wider.set(this.#keys);
      this.#keys = wider;
    }
    this.#keys[this.count++] = key;
  }

  #order(): void {
    const keys = this.#keys;
    if (this.count > FEW) keys.subarray(0, this.count).sort();
    else
      for (let i = 1; i < this.count; i++) {
        const key = keys[i] as number;
        let at = i;
        for (; at > 0 && (keys[at - 1] as number) > key; at--) keys[at] = keys[at - 1] as number;
        keys[at] = key;
      }
  }

  positionAt(index: number): number {
    return Math.floor((this.#keys[index] as number) / PLACES);
  }

  placeAt(index: number): number {
    return (this.#keys[index] as number) % PLACES;
  }

  /** Where the pairs of a line item begin, or would. */
  firstOf(position: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] as number) < position * PLACES) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  holds(position: number): boolean {
    const at = this.firstOf(position);
    return at < this.count && this.positionAt(at) === position;
  }

  /** Why no fenced line item elsewhere bids, of the furthest; null: none is bound to places. */
  get away(): NoBidReason | null {
    return this.#meta.fenced === 0 ? null : this.#away;
  }

  /** The same of one that is not here: its own fence may be one that the device is in, but too small for what is known of where that is. */
  awayOf(position: number): NoBidReason {
    if (this.#away !== 'untrusted_location') return this.#away;
    const { placeItemStart, placeItems } = this.#sections;
    for (let i = 0; i < this.#untrusted.length; i++) {
      const place = this.#untrusted.at(i);
      const items = placeItems.subarray(placeItemStart[place], placeItemStart[place + 1]);
      if (items.includes(position)) return 'untrusted_location';
    }
    return 'outside_fence';
  }
}

/** Some exchanges send the device's own place without its type. */
function asTrusted(location: Location, { trustsUnknownLocation }: LiveExchange): Location {
  return trustsUnknownLocation && location.type === null ? { ...location, type: 1 } : location;
}
