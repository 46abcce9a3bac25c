import { shapeIn } from '../../proto/shapes.ts';
import type { LiveLineItem, LiveStore, Targeting } from '../../proto/snapshot.ts';
import {
  type LineItemHead,
  readLineItems,
  type Surroundings,
  targetingOf,
  type WrittenPage,
  writeLineItems,
} from '../../proto/snapshot-parts.ts';
import { FLAGS, ROWS } from './clauses.ts';
import { TEXT } from './dictionary.ts';
import { ByteList, groupBy, joined, NumberList, type Pieces, startsOf, writeSections } from './layout.ts';
import type { Dimension, Meta } from './meta.ts';
import { cellsOf, PlaceWriter } from './places.ts';
import { type PreparedGeofence, prepareGeofence } from './prepared.ts';
import { isLimited } from './records.ts';
import { TermWriter } from './terms.ts';

/**
 * Compiles a snapshot into one buffer that `openIndex` reads. Throws an Error that names what is broken, an id that leads nowhere for
 * one: the caller keeps what it has. Line items are taken one by one, and may be made as they are asked for: a million of them are
 * never on the heap at once.
 */
export function compileIndex({
  lineItems,
  ...around
}: Surroundings & { readonly lineItems: Iterable<LiveLineItem> }): ArrayBuffer {
  return joined(compilePages({ ...around, geofences: around.geofences.map(prepareGeofence) }, pagesOf(lineItems)));
}

/** What of a snapshot is compiled beside its line items. */
type Around = Omit<Surroundings, 'geofences'> & { readonly geofences: readonly PreparedGeofence[] };

/**
 * The same of pages as they were published. They too are asked for one by one: what is parsed of a page is gone when the next one comes, so that the collector,
 * which otherwise took a quarter of a compilation, finds nothing to keep.
 */
export function compilePages(around: Around, pages: Iterable<WrittenPage>): Pieces {
  const compiler = new Compiler(around);
  for (const page of pages) compiler.addPage(page);
  return compiler.finish();
}

const PAGE = 256;

function* pagesOf(lineItems: Iterable<LiveLineItem>): Generator<WrittenPage> {
  let page: LiveLineItem[] = [];
  for (const lineItem of lineItems) {
    if (page.push(lineItem) < PAGE) continue;
    yield readLineItems(writeLineItems(page));
    page = [];
  }
  yield readLineItems(writeLineItems(page));
}

class Compiler {
  readonly #snapshot: Around;
  readonly #terms: TermWriter;
  readonly #places = new PlaceWriter();
  readonly #stores: ReadonlyMap<string, number>;
  readonly #geofences: ReadonlyMap<string, number>;
  /** Numbers of the places of stores and of geofences, by theirs; made when a line item is bound to them. */
  readonly #placeOfStore = new Map<number, number>();
  readonly #placeOfGeofence = new Map<number, number>();
  readonly #maxCpm: number[] = [];
  readonly #start: number[] = [];
  readonly #end: number[] = [];
  readonly #flags = new NumberList();
  readonly #currency = new NumberList();
  readonly #currencies = new Map<string, number>();
  readonly #childSafe = new NumberList();
  readonly #promotedStart = new NumberList();
  readonly #promoted = new NumberList();
  readonly #distances = new Map<string, number>();
  readonly #distancePairs: number[] = [];
  readonly #recordStart = new NumberList();
  readonly #recordLength = new NumberList();
  /** Of pages, as they are: records are the most of an index. */
  readonly #records: Uint8Array[] = [];
  #recordBytes = 0;
  readonly #shapes = new Map<string, number>();
  readonly #shapedItems = new NumberList();
  readonly #itemShapes = new NumberList();

  constructor(snapshot: Around) {
    this.#snapshot = snapshot;
    this.#terms = new TermWriter(snapshot.lists);
    this.#stores = numbered('store', snapshot.stores);
    this.#geofences = numbered('geofence', snapshot.geofences);
  }

  addPage({ bytes, lineItems, spans }: WrittenPage): void {
    lineItems.forEach((lineItem, at) => {
      this.#add(lineItem);
      const [start, end] = [spans[2 * at] as number, spans[2 * at + 1] as number];
      this.#recordStart.push(this.#recordBytes + start);
      this.#recordLength.push(end - start);
    });
    this.#records.push(bytes);
    this.#recordBytes += bytes.length;
  }

  #add(head: LineItemHead): void {
    const { id, advertiser, bid, start, end, currency, childSafe, caps, holdout } = head;
    const item = this.#maxCpm.length;
    const targeting = targetingOf(head);
    const { texts } = this.#terms;
    if (texts.add(TEXT.lineItem, id, item) !== item) throw new Error(`snapshot: line item ${id} is there twice`);
    texts.add(TEXT.advertiser, advertiser, item);
    this.#maxCpm.push(bid.maxCpm);
    this.#start.push(start);
    this.#end.push(end);
    try {
      this.#flags.push(this.#terms.add({ targeting, caps, holdout }) | (isLimited(head) ? FLAGS.limited : 0));
    } catch (error) {
      throw new Error(`${(error as Error).message}, which line item ${id} names`);
    }
    this.#currency.push(numberIn(this.#currencies, currency));
    if (childSafe) this.#childSafe.push(item);
    this.#addPromoted(head, targeting);
    this.#addPlaces(id, targeting, item);
    for (const shape of head.shapes) {
      this.#shapedItems.push(item);
      this.#itemShapes.push(numberIn(this.#shapes, shape));
    }
  }

  #addPromoted({ id, bid: { distance } }: LineItemHead, { promotedStores }: Targeting): void {
    this.#promotedStart.push(this.#promoted.length);
    if (distance === null) this.#promoted.push(0);
    else {
      const { halvesEvery, floorShare } = distance;
      const known = this.#distances.size;
      const rule = numberIn(this.#distances, `${halvesEvery} ${floorShare}`);
      if (rule === known) this.#distancePairs.push(halvesEvery, floorShare);
      this.#promoted.push(rule + 1);
    }
    for (const store of promotedStores) this.#promoted.push(known(this.#stores, store, 'store', id));
  }

  #addPlaces(id: string, targeting: Targeting, item: number): void {
    for (const name of new Set(targeting.stores ?? [])) {
      const store = known(this.#stores, name, 'store', id);
      let place = this.#placeOfStore.get(store);
      if (place === undefined) {
        const { fence, cover } = this.#snapshot.stores[store] as LiveStore;
        place = this.#places.add(fence, cellsOf(cover), store);
        this.#placeOfStore.set(store, place);
      }
      this.#places.bind(place, item);
    }
    for (const name of new Set(targeting.geofences ?? [])) {
      const geofence = known(this.#geofences, name, 'geofence', id);
      let place = this.#placeOfGeofence.get(geofence);
      if (place === undefined) {
        const { fence, cells } = this.#snapshot.geofences[geofence] as PreparedGeofence;
        place = this.#places.add(fence, cells, -1);
        this.#placeOfGeofence.set(geofence, place);
      }
      this.#places.bind(place, item);
    }
  }

  finish(): Pieces {
    const { version, at, exchanges, rates } = this.#snapshot;
    const size = this.#maxCpm.length;
    const terms = this.#terms;
    // Stable: of the same price the one that came first.
    const order = Uint32Array.from(this.#maxCpm.keys()).sort(
      (a, b) => (this.#maxCpm[b] as number) - (this.#maxCpm[a] as number) || a - b,
    );
    const positions = new Uint32Array(size);
    for (let position = 0; position < size; position++) positions[order[position] as number] = position;
    const supply = this.#addSupply();
    const { rows, dimensions, shapeRow } = this.#rows(positions);
    const places = this.#places.sections(positions);
    const meta: Meta = {
      version,
      at,
      size,
      terms: terms.terms,
      lateTerms: terms.lateTerms,
      exchanges,
      rates,
      currencies: [...this.#currencies.keys()],
      dimensions,
      shapes: [...this.#shapes.keys()].map(shapeIn),
      shapeRow,
      broad: terms.broad.length,
      posted: terms.posted.length,
      fenced: size - terms.broad.length - terms.posted.length,
      resolutions: this.#places.resolutions,
      asks: terms.asks,
      geoPatterns: terms.geoPatterns,
      adsTxt: supply,
    };
    const stores = this.#storeSections();
    return writeSections(version, {
      meta: Buffer.from(JSON.stringify(meta)),
      live: ones(size),
      rows,
      maxCpm: Float64Array.from(order, (item) => this.#maxCpm[item] as number),
      start: Float64Array.from(order, (item) => this.#start[item] as number),
      end: Float64Array.from(order, (item) => this.#end[item] as number),
      flags: Uint8Array.from(order, (item) => this.#flags.at(item)),
      currency: Uint16Array.from(order, (item) => this.#currency.at(item)),
      ...inOrder(order, this.#terms.clauseStart, this.#terms.clauses, 'clauseStart', 'clauses'),
      ...inOrder(order, this.#promotedStart, this.#promoted, 'promotedStart', 'promoted'),
      distances: Float64Array.from(this.#distancePairs),
      ...this.#recordSections(order),
      ...this.#postings(positions),
      ...terms.segmentSections(),
      ...terms.texts.sections(TEXT_OF_ITEM, positions),
      ...terms.listSections(),
      ...terms.lateSections(),
      ...places,
      ...stores,
    });
  }

  #rows(positions: Uint32Array) {
    const size = positions.length;
    const words = wordsFor(size);
    const dimensions: Dimension[] = [];
    let count = 3;
    for (const { name, values, overflows, narrowed } of this.#terms.dimensions) {
      if (narrowed.length === 0 && !overflows) continue;
      dimensions.push({ name, row: count, values: [...values.keys()], overflows });
      count += values.size + 1;
    }
    const shapeRow = count;
    count += this.#shapes.size;
    const rows = new Uint32Array(count * words);
    const views = Array.from({ length: count }, (_, number) => rows.subarray(number * words, (number + 1) * words));
    const row = (number: number): Uint32Array => views[number] as Uint32Array;
    const put = (bits: Uint32Array, item: number): void => setBit(bits, positions[item] as number);
    for (const item of this.#terms.broad.view()) put(row(ROWS.broad), item);
    for (const item of this.#terms.posted.view()) put(row(ROWS.posted), item);
    for (const item of this.#childSafe.view()) put(row(ROWS.childSafe), item);
    for (const { name, row: first, values } of dimensions) {
      const given = this.#terms.dimensions.find((dimension) => dimension.name === name) as TermWriter['dimensions'][number];
      const any = row(first);
      any.set(ones(size));
      for (const item of given.narrowed.view()) {
        const position = positions[item] as number;
        any[position >>> 5] = (any[position >>> 5] as number) & ~(1 << (position & 31));
      }
      for (let value = 0; value < values.length; value++) row(first + 1 + value).set(any);
      given.wanting.view().forEach((item, at) => {
        put(row(first + 1 + given.wanted.at(at)), item);
      });
    }
    this.#shapedItems.view().forEach((item, at) => {
      put(row(shapeRow + this.#itemShapes.at(at)), item);
    });
    return { rows, dimensions, shapeRow };
  }

  #postings(positions: Uint32Array) {
    const { postedTerms, postedItems, terms } = this.#terms;
    const keys = postedTerms.view();
    const postingStart = startsOf(keys, terms);
    const postings = groupBy(
      keys,
      postedItems.view().map((item) => positions[item] as number),
      postingStart,
    );
    for (let term = 0; term < terms; term++) {
      const [from, to] = [postingStart[term] as number, postingStart[term + 1] as number];
      if (to - from > 1) postings.subarray(from, to).sort();
    }
    return { postingStart, postings };
  }

  #recordSections(order: Uint32Array) {
    return {
      recordStart: order.map((item) => this.#recordStart.at(item)),
      recordLength: order.map((item) => this.#recordLength.at(item)),
      records: this.#records,
    };
  }

  #storeSections() {
    const starts = new NumberList();
    const bytes = new ByteList();
    for (const { cover, ...store } of this.#snapshot.stores) {
      starts.push(bytes.length);
      bytes.push(Buffer.from(JSON.stringify({ ...store, cover: { ...cover, inner: [], boundary: [] } })));
    }
    starts.push(bytes.length);
    return { storeStart: starts.view(), storeBytes: bytes.parts() };
  }

  /** How many domains have an ads.txt. */
  #addSupply(): number {
    const { adsTxt = {}, sellers = {} } = this.#snapshot.supply ?? {};
    const { texts } = this.#terms;
    for (const [domain, text] of Object.entries(adsTxt)) {
      texts.add(TEXT.adsTxt, domain, 1);
      for (const line of linesOf(text)) texts.add(TEXT.adsTxtEntry, `${domain}\n${line}`, 1);
    }
    for (const [domain, text] of Object.entries(sellers)) {
      texts.add(TEXT.sellers, domain, 1);
      for (const line of linesOf(text)) texts.add(TEXT.seller, `${domain}\n${line.slice(1)}`, line.charCodeAt(0));
    }
    return Object.keys(adsTxt).length;
  }
}

/** Kinds of text whose values are line items. */
const TEXT_OF_ITEM: ReadonlySet<number> = new Set([TEXT.lineItem, TEXT.advertiser]);

function linesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n');
}

function numbered(what: string, things: readonly { readonly id: string }[]): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (const [number, { id }] of things.entries()) {
    if (numbers.has(id)) throw new Error(`snapshot: ${what} ${id} is there twice`);
    numbers.set(id, number);
  }
  return numbers;
}

function known(numbers: ReadonlyMap<string, number>, id: string, what: string, lineItem: string): number {
  const number = numbers.get(id);
  if (number === undefined) throw new Error(`snapshot: there is no ${what} ${id}, which line item ${lineItem} names`);
  return number;
}

function numberIn(numbers: Map<string, number>, text: string): number {
  const found = numbers.get(text);
  if (found !== undefined) return found;
  numbers.set(text, numbers.size);
  return numbers.size - 1;
}

export function wordsFor(size: number): number {
  return Math.ceil(size / 32);
}

function setBit(bits: Uint32Array, position: number): void {
  bits[position >>> 5] = (bits[position >>> 5] as number) | (1 << (position & 31));
}

/** A row in which every line item is. */
function ones(size: number): Uint32Array<ArrayBuffer> {
  const bits = new Uint32Array(wordsFor(size)).fill(0xffff_ffff);
  if (size % 32 !== 0) bits[bits.length - 1] = (1 << (size % 32)) - 1;
  return bits;
}

/** Runs of line items laid one after the other by position, so that neighbours in price are neighbours in memory. */
function inOrder<Start extends string, Data extends string>(
  order: Uint32Array,
  starts: NumberList,
  data: NumberList,
  startName: Start,
  dataName: Data,
): Record<Start | Data, Uint32Array<ArrayBuffer>> {
  const given = data.view();
  const moved = new Uint32Array(given.length);
  const movedStarts = new Uint32Array(order.length + 1);
  let at = 0;
  for (let position = 0; position < order.length; position++) {
    const item = order[position] as number;
    const end = item + 1 < starts.length ? starts.at(item + 1) : given.length;
    movedStarts[position] = at;
    for (let from = starts.at(item); from < end; from++) moved[at++] = given[from] as number;
  }
  movedStarts[order.length] = at;
  return { [startName]: movedStarts, [dataName]: moved } as Record<Start | Data, Uint32Array<ArrayBuffer>>;
}
