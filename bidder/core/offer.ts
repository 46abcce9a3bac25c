import type { LiveStore } from '../../proto/snapshot.ts';
import type { Imp } from '../openrtb/request.ts';
import { FLAGS } from './clauses.ts';
import type { Here } from './here.ts';
import { mixed } from './layout.ts';
import type { LineItem } from './line-item.ts';
import { priceOf } from './price.ts';
import { nearestStore } from './promote.ts';
import type { Stock } from './stock.ts';

/** A line item whose targeting holds, apart from what depends on the imp. */
export interface Offer {
  readonly position: number;
  /** Micros of CPM in its currency. */
  price: number;
  /** Of equal prices the lowest goes first. */
  readonly tie: number;
  /** Made when it is tried; so is what it shows. */
  lineItem: LineItem | null;
  store: LiveStore | null;
  metres: number | null;
  shown: boolean;
  /** Impressions of it that this response already holds, their cost in micros, and the imp of the latest. */
  used: number;
  reserved: number;
  usedFor: Imp | null;
}

export function dearestFirst(a: Offer, b: Offer): number {
  return b.price - a.price || a.tie - b.tie;
}

/** What line items show to whom is here, and what they pay for it. */
export class Showcase {
  readonly #index: Stock;
  readonly #here: Here;

  constructor(index: Stock, here: Here) {
    this.#index = index;
    this.#here = here;
  }

  /** What a line item would bid at most; null where it shows open stores only, and there is none, unless that does not matter. */
  offerOf(position: number, now: number, turn: number, closedToo: boolean): Offer | null {
    const { maxCpm, flags, promotedStart, promoted, distances } = this.#index.sections;
    const most = maxCpm[position] as number;
    const rule = promoted[promotedStart[position] as number] as number;
    const openOnly = ((flags[position] as number) & FLAGS.openStoresOnly) !== 0;
    const offer: Offer = {
      position,
      price: most,
      tie: mixed(turn ^ Math.imul(position + 1, 0x9e37_79b1)),
      lineItem: null,
      store: null,
      metres: null,
      shown: false,
      used: 0,
      reserved: 0,
      usedFor: null,
    };
    if (rule === 0 && !openOnly) return offer;
    if (!this.show(offer, now) && openOnly && !closedToo) return null;
    if (rule === 0) return offer;
    const halvesEvery = distances[(rule - 1) * 2] as number;
    const floorShare = distances[(rule - 1) * 2 + 1] as number;
    offer.price = priceOf({ maxCpm: most, distance: { halvesEvery, floorShare } }, offer.metres);
    return offer;
  }

  /** Finds what an offer shows. Whether that is an open store. */
  show(offer: Offer, now: number): boolean {
    offer.shown = true;
    const { location, signal } = this.#here;
    const promoted = nearestStore(this.#storesOf(offer.position), location, now);
    if (promoted === null) return false;
    offer.store = promoted.store;
    // A vague place may choose the store, but must not say how far it is.
    offer.metres = signal === null || signal.class === 'low' ? null : promoted.metres;
    return promoted.open;
  }

  /** Those in whose fences the device is, else those that it promotes. */
  #storesOf(position: number): readonly LiveStore[] {
    const index = this.#index;
    const { flags, promotedStart, promoted } = index.sections;
    if (((flags[position] as number) & FLAGS.fenced) !== 0) {
      const stores = this.#storesHere(position);
      if (stores.length > 0) return stores;
    }
    const end = promotedStart[position + 1] as number;
    const first = (promotedStart[position] as number) + 1;
    if (first >= end) return NO_STORES;
    const stores: LiveStore[] = [];
    for (let at = first; at < end; at++) stores.push(index.storeAt(promoted[at] as number));
    return stores;
  }

  #storesHere(position: number): readonly LiveStore[] {
    const here = this.#here;
    const { placeStores } = this.#index.sections;
    let stores: LiveStore[] | null = null;
    for (let at = here.firstOf(position); at < here.count && here.positionAt(at) === position; at++) {
      const store = placeStores[here.placeAt(at)] as number;
      if (store === 0) continue;
      stores ??= [];
      stores.push(this.#index.storeAt(store - 1));
    }
    return stores ?? NO_STORES;
  }
}

const NO_STORES: readonly LiveStore[] = Object.freeze([]);
