import { dataCost, type Micros } from '../../proto/money.ts';
import type { LiveExchange, LiveStore, Snapshot } from '../../proto/snapshot.ts';
import type { SellerType, SupplyLists } from '../supply.ts';
import { FLAGS } from './clauses.ts';
import { compileIndex } from './compile.ts';
import { findText, NONE, TEXT } from './dictionary.ts';
import { readSections, type Sections } from './layout.ts';
import type { LineItem } from './line-item.ts';
import { Match } from './match.ts';
import type { Meta } from './meta.ts';
import { readLineItem } from './records.ts';
import { COUNTS, type Stages, type Stock } from './stock.ts';

/** A snapshot compiled for deciding. Immutable but for what is paused: a request keeps the index that it began with. */
export interface Index extends Stock {
  readonly version: number;
  /** When the snapshot was made, epoch ms. */
  readonly at: number;
  readonly exchanges: ReadonlyMap<string, LiveExchange>;
  /** How many line items are live. Their positions are 0 to `size` − 1, by falling price. */
  readonly size: number;
  lineItem(id: string): LineItem | undefined;
  lineItemAt(position: number): LineItem;
  /** Position of a line item, -1: it is not live; and its id. Neither makes it. */
  positionOf(id: string): number;
  idAt(position: number): string;
  /** Domains of an advertiser who has something live; null where there is none. */
  domainsOf(advertiser: string): readonly string[] | null;
  /** A line item that is not live bids nothing, from the next request on. */
  setLive(position: number, live: boolean): void;
  /** Whether a line item has a budget of any kind, without making it. */
  isLimited(position: number): boolean;
  /** Deals for which some line item is made. */
  readonly deals: { has(deal: string): boolean };
  readonly rates: Snapshot['rates'];
  /** Where a request is matched: one at a time. */
  readonly match: Match;
}

/** Compiles a snapshot and opens what comes of it: for tests and small tools. */
export function buildIndex(snapshot: Snapshot): Index {
  return openIndex(compileIndex(snapshot));
}

/**
 * The index in a buffer of `compileIndex`: views only, nothing of the line items is read. Throws an Error that says why the buffer is
 * none.
 */
export function openIndex(buffer: ArrayBufferLike): Index {
  const sections = readSections(buffer);
  const meta = JSON.parse(textIn(sections.meta, 0, sections.meta.length)) as Meta;
  return new OpenIndex(sections, meta);
}

/** The same index with counts and a match of its own, for who asks beside the auctions. Nothing is copied. */
export function twinOf({ sections, meta }: Index): Index {
  return new OpenIndex(sections, meta);
}

const ID_AT = '{"id":"'.length;
const LONGEST_HEAD = 100;

/** Line items that are kept once they have been made, a slot for each number modulo this. */
const KEPT = 16_384;
const KEPT_STORES = 4_096;

class OpenIndex implements Index {
  readonly sections: Sections;
  readonly meta: Meta;
  readonly version: number;
  readonly at: number;
  readonly size: number;
  readonly exchanges: ReadonlyMap<string, LiveExchange>;
  readonly rates: Snapshot['rates'];
  readonly supply: SupplyLists;
  readonly deals: Index['deals'];
  readonly counts: Uint32Array;
  readonly rowCounts: Uint32Array;
  readonly stages: Stages = { decisions: 0, reached: 0, passed: 0, tried: 0, truncated: 0 };
  readonly match: Match;
  readonly #kept: (LineItem | null)[];
  readonly #keptStores = new Map<number, LiveStore>();

  constructor(sections: Sections, meta: Meta) {
    this.sections = sections;
    this.meta = meta;
    this.version = meta.version;
    this.at = meta.at;
    this.size = meta.size;
    this.exchanges = new Map(meta.exchanges.map((exchange) => [exchange.id, exchange]));
    this.rates = meta.rates;
    this.supply = supplyIn(sections, meta.adsTxt);
    this.deals = { has: (deal) => findText(sections, TEXT.deal, deal) !== NONE };
    this.counts = new Uint32Array(meta.size * COUNTS);
    this.rowCounts = new Uint32Array(meta.shapeRow);
    this.#kept = new Array<LineItem | null>(Math.min(KEPT, meta.size)).fill(null);
    this.match = new Match(this);
  }

  lineItem(id: string): LineItem | undefined {
    const position = findText(this.sections, TEXT.lineItem, id);
    return position === NONE ? undefined : this.lineItemAt(position);
  }

  lineItemAt(position: number): LineItem {
    const slot = position % KEPT;
    const kept = this.#kept[slot];
    if (kept?.position === position) return kept;
    const { recordStart, recordLength, records } = this.sections;
    const json = textIn(records, recordStart[position] as number, recordLength[position] as number);
    const lineItem = readLineItem(json, position);
    this.#kept[slot] = lineItem;
    return lineItem;
  }

  positionOf(id: string): number {
    const position = findText(this.sections, TEXT.lineItem, id);
    return position === NONE ? -1 : position;
  }

  idAt(position: number): string {
    const { recordStart, recordLength, records } = this.sections;
    // The id comes first, and nothing in it is escaped.
    const head = textIn(records, recordStart[position] as number, Math.min(LONGEST_HEAD, recordLength[position] as number));
    return head.slice(ID_AT, head.indexOf('"', ID_AT));
  }

  domainsOf(advertiser: string): readonly string[] | null {
    const position = findText(this.sections, TEXT.advertiser, advertiser);
    return position === NONE ? null : this.lineItemAt(position).domains;
  }

  setLive(position: number, live: boolean): void {
    const bits = this.sections.live;
    const word = position >>> 5;
    const bit = 1 << (position & 31);
    bits[word] = live ? (bits[word] as number) | bit : (bits[word] as number) & ~bit;
  }

  isLimited(position: number): boolean {
    return ((this.sections.flags[position] as number) & FLAGS.limited) !== 0;
  }

  storeAt(store: number): LiveStore {
    const kept = this.#keptStores.get(store);
    if (kept !== undefined) return kept;
    const { storeStart, storeBytes } = this.sections;
    const start = storeStart[store] as number;
    const made = JSON.parse(textIn(storeBytes, start, (storeStart[store + 1] as number) - start)) as LiveStore;
    if (this.#keptStores.size >= KEPT_STORES) this.#keptStores.clear();
    this.#keptStores.set(store, made);
    return made;
  }
}

function textIn(bytes: Uint8Array, start: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString('utf8');
}

/** ads.txt and sellers.json as texts in the buffer. */
function supplyIn(sections: Sections, adsTxt: number): SupplyLists {
  return {
    adsTxt: {
      size: adsTxt,
      get: (domain) =>
        findText(sections, TEXT.adsTxt, domain) === NONE
          ? undefined
          : { has: (entry) => findText(sections, TEXT.adsTxtEntry, `${domain}\n${entry}`) !== NONE },
    },
    sellers: {
      get: (domain) =>
        findText(sections, TEXT.sellers, domain) === NONE
          ? undefined
          : { get: (seller) => sellerIn(sections, `${domain}\n${seller}`) },
    },
  };
}

function sellerIn(sections: Sections, text: string): SellerType | undefined {
  const code = findText(sections, TEXT.seller, text);
  return code === NONE ? undefined : (String.fromCharCode(code) as SellerType);
}

/** The most that one impression of a line item can cost, micros. */
export function highestCost(lineItem: Pick<LineItem, 'bid' | 'data'>): Micros {
  const media = Math.round(lineItem.bid.maxCpm / 1000);
  return media + dataCost(lineItem.data, media);
}
