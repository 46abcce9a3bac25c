import type { NoBidReason } from '../../proto/no-bid.ts';
import { hourOf, UNKNOWN_AGE, visitMemberships } from '../../proto/profile.ts';
import { isPreciseFor, type Signal, signalOf } from '../../proto/signal.ts';
import type { LiveExchange, LiveStore } from '../../proto/snapshot.ts';
import type { BidRequest, Imp, Location } from '../openrtb/request.ts';
import { FLAGS, HEAD_WORDS, LATE, NONE_OF, PARTS, type Part, PERSONAL, ROWS } from './clauses.ts';
import { wordsFor } from './compile.ts';
import type { Question } from './decide.ts';
import { findText, NONE, TEXT } from './dictionary.ts';
import { placesAt } from './geo.ts';
import type { Index, LineItem } from './index.ts';
import { failureOfLate, type LateTerm } from './late.ts';
import { mixed } from './layout.ts';
import { DIMENSIONS, type DimensionName } from './meta.ts';
import { priceOf } from './price.ts';
import { nearestStore } from './promote.ts';
import { numberOf, REASONS } from './reason.ts';
import { mayFit, type Shape } from './shapes.ts';
import { VALUE_PARTS } from './terms.ts';

/** A line item whose targeting holds, apart from what depends on the imp. */
export interface Offer {
  readonly position: number;
  /** Micros of CPM in its currency. */
  readonly price: number;
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

/** Positions of the first window; each further one is twice as wide. */
const FIRST_WINDOW = 256;
/** Offers that may wait at once: of more the cheaper are not looked at. Line items lie by price, so that is mild. */
const MOST_WAITING = 512;

/** One thing about a line item that does not hold. */
export interface Failure {
  readonly reason: NoBidReason;
  readonly part: Part | 'live' | 'flight' | 'childSafe' | 'geofences' | 'person' | 'openStoresOnly';
}

/**
 * A request against an index. `begin` marks the terms that are true of it; then offers come in falling price, made window by window
 * of positions, so that what cannot win is never looked at. One request at a time: what it needs is kept between requests, and
 * nothing of it is made anew but the offers.
 */
export class Match {
  readonly #index: Index;
  readonly #words: number;
  /** True of the present request where it is `#epoch`. */
  readonly #marks: Uint32Array;
  #epoch = 0;
  /** Line items of which it is counted why they failed it. */
  readonly #failed: Uint32Array;
  /** Of late terms: `#epoch` where it was asked, and 1 + number of the reason, 0: it holds. */
  readonly #lateAsked: Uint32Array;
  readonly #lateFailures: Uint8Array;
  readonly #lateTerms: (LateTerm | null)[];
  readonly #values: readonly ReadonlyMap<string, number>[];
  /** Rows that a line item must be in, by their first words; and of shapes the rows of which it must be in one. */
  readonly #rows: number[] = [];
  readonly #shapeRows: number[] = [];
  readonly #impShapeRows: number[][] = [];
  #anyShape = true;
  /** Flags that a line item must not have, because of what is known of the person. */
  #forbidden = 0;
  /** Postings of true terms: where they start, how far they have been looked at, and where they end. */
  readonly #starts: number[] = [];
  readonly #cursors: number[] = [];
  readonly #ends: number[] = [];
  /** Line items of the places that hold the device: position × 2^21 + place, ascending. */
  #here: Float64Array = new Float64Array(64);
  #hereCount = 0;
  #hereAt = 0;
  #question!: Question;
  #location: Location | null = null;
  #signal: Signal | null = null;
  /** Why no fenced line item that is not `here` may bid. */
  #awayReason: NoBidReason = 'outside_fence';
  #untrusted: readonly number[] = [];
  #turn = 0;
  #least: readonly number[] = [];
  /** First position that is too cheap; end of the windows so far; width of the next. */
  #limit = 0;
  #seen = 0;
  #width = FIRST_WINDOW;
  /** More passed than are waited for: what is cheaper is not looked at. */
  #cut = false;
  readonly #found: number[] = [];
  #waiting: Offer[] = [];
  #ready: Offer[] = [];
  #hour = 0;

  constructor(index: Index) {
    const { meta } = index;
    this.#index = index;
    this.#words = wordsFor(meta.size);
    this.#marks = new Uint32Array(meta.terms);
    this.#failed = new Uint32Array(meta.size);
    this.#lateAsked = new Uint32Array(meta.lateTerms);
    this.#lateFailures = new Uint8Array(meta.lateTerms);
    this.#lateTerms = new Array<LateTerm | null>(meta.lateTerms).fill(null);
    this.#values = meta.dimensions.map(({ values }) => new Map(values.map((value, number) => [value, number])));
  }

  /**
   * `least`: by currency of the index the least price in micros that could be bid; `turn`: a number of the auction by which equal
   * prices take turns.
   */
  begin(question: Question, least: readonly number[], turn: number): void {
    this.#question = question;
    this.#turn = turn;
    this.#least = least;
    this.#waiting = [];
    this.#ready = [];
    this.#starts.length = 0;
    this.#cursors.length = 0;
    this.#ends.length = 0;
    this.#hereCount = 0;
    this.#hereAt = 0;
    this.#seen = 0;
    this.#cut = false;
    this.#width = FIRST_WINDOW;
    this.#limit = this.#firstBelow(Math.min(...least));
    if (++this.#epoch === 0xffff_ffff) this.#startOver();
    this.#markRequest();
    this.#markPerson();
    this.#pickRows();
    this.#findPlaces();
  }

  /** Marks of four billion requests ago would count again. */
  #startOver(): void {
    this.#marks.fill(0);
    this.#failed.fill(0);
    this.#lateAsked.fill(0);
    this.#epoch = 1;
  }

  /** The first position whose line item pays less. */
  #firstBelow(price: number): number {
    const { maxCpm } = this.#index.sections;
    let low = 0;
    let high = maxCpm.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((maxCpm[middle] as number) >= price) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #mark(term: number): void {
    if (term === NONE || this.#marks[term] === this.#epoch) return;
    this.#marks[term] = this.#epoch;
    const { postingStart } = this.#index.sections;
    const start = postingStart[term] as number;
    const end = postingStart[term + 1] as number;
    if (start === end) return;
    this.#starts.push(start);
    this.#cursors.push(start);
    this.#ends.push(end);
  }

  #markText(kind: number, text: string): void {
    if (text !== '') this.#mark(findText(this.#index.sections, kind, text));
  }

  #markRequest(): void {
    const { asks } = this.#index.meta;
    const { device, inventory, imps, eids } = this.#question.request;
    if (asks.make) this.#markText(TEXT.make, device.make);
    if (asks.model) this.#markText(TEXT.model, device.model);
    if (asks.browser) this.#markText(TEXT.browser, device.browser);
    if (asks.carrier) {
      this.#markText(TEXT.carrier, device.carrier);
      this.#markText(TEXT.carrier, device.mccmnc);
    }
    if (asks.geo) this.#markGeo();
    if (asks.category) for (const category of inventory.categories) this.#markCategory(category);
    if (asks.contentLanguage) this.#markText(TEXT.contentLanguage, inventory.contentLanguage);
    if (asks.lists) this.#markLists();
    if (asks.eid) for (const { source } of eids) this.#markText(TEXT.eid, source.toLowerCase());
    if (asks.userData) this.#markUserData();
    if (asks.deal) for (const { deals } of imps) for (const { id } of deals) this.#markText(TEXT.deal, id);
  }

  /** Each way in which some line item names places. */
  #markGeo(): void {
    const { country, region, city, zip } = this.#question.request.device;
    const { geoPatterns } = this.#index.meta;
    for (let pattern = 0; pattern < 8; pattern++) {
      if ((geoPatterns & (1 << pattern)) === 0) continue;
      if ((pattern & 1 && region === '') || (pattern & 2 && city === '') || (pattern & 4 && zip === '')) continue;
      this.#markText(TEXT.geo, `${country}|${pattern & 1 ? region : ''}|${pattern & 2 ? city : ''}|${pattern & 4 ? zip : ''}`);
    }
  }

  /** And its parent. */
  #markCategory(category: string): void {
    this.#markText(TEXT.category, category);
    const dash = category.indexOf('-');
    if (dash > 0) this.#markText(TEXT.category, category.slice(0, dash));
  }

  #markLists(): void {
    const { kind, id, domain, bundle, publisher } = this.#question.request.inventory;
    for (let at = 0; domain !== '' && at >= 0; at = domain.indexOf('.', at + 1))
      this.#markEntry(TEXT.domainEntry, at === 0 ? domain : domain.slice(at + 1));
    this.#markEntry(TEXT.bundleEntry, bundle.toLowerCase());
    if (kind === 'site') this.#markEntry(TEXT.siteEntry, id);
    if (kind === 'app') this.#markEntry(TEXT.appEntry, id);
    this.#markEntry(TEXT.publisherEntry, publisher);
  }

  #markEntry(kind: number, text: string): void {
    if (text === '') return;
    const entry = findText(this.#index.sections, kind, text);
    if (entry === NONE) return;
    const { listedStart, listed } = this.#index.sections;
    for (let at = listedStart[entry] as number; at < (listedStart[entry + 1] as number); at++) this.#mark(listed[at] as number);
  }

  #markUserData(): void {
    for (const { name, segtax, ids } of this.#question.request.userData)
      for (const id of ids) {
        if (segtax > 0) this.#markText(TEXT.userData, `${segtax}:${id}`);
        if (name !== '') this.#markText(TEXT.userData, `${name.toLowerCase()}:${id}`);
      }
  }

  #markPerson(): void {
    const { person, now } = this.#question;
    const { state, memberships } = person;
    this.#forbidden = FORBIDDEN[state];
    if (state !== 'known' && state !== 'unknown') return;
    this.#hour = hourOf(now);
    for (const value of memberships) visitMemberships(value, this.#hour, now, this);
  }

  /** A membership of the person; `age` in hours. */
  take(segment: number, age: number): void {
    const { segmentSlots, segmentStart, segmentHours, segmentTerms } = this.#index.sections;
    const mask = segmentSlots.length / 2 - 1;
    for (let slot = mixed(segment) & mask; ; slot = (slot + 1) & mask) {
      const entry = segmentSlots[slot * 2 + 1] as number;
      if (entry === 0) return;
      if (segmentSlots[slot * 2] !== segment) continue;
      for (let at = segmentStart[entry - 1] as number; at < (segmentStart[entry] as number); at++) {
        const hours = segmentHours[at] as number;
        if (hours === NONE || (age !== UNKNOWN_AGE && age <= hours)) this.#mark(segmentTerms[at] as number);
      }
      return;
    }
  }

  #pickRows(): void {
    const { meta } = this.#index;
    const { request, childOnly } = this.#question;
    const rows = this.#rows;
    const { rowCounts } = this.#index;
    rows.length = 0;
    for (let i = 0; i < meta.dimensions.length; i++) {
      const { name, row, overflows } = meta.dimensions[i] as (typeof meta.dimensions)[number];
      const value = this.#valueOf(name);
      const number = value === null ? undefined : this.#values[i]?.get(value);
      const picked = number === undefined ? row : row + 1 + number;
      (rowCounts[picked] as number)++;
      rows.push(picked * this.#words);
      if (overflows && value !== null) this.#markText(TEXT.value + DIMENSIONS.indexOf(name), value);
    }
    if (childOnly) rows.push(ROWS.childSafe * this.#words);
    this.#pickShapes(request);
  }

  #pickShapes({ imps }: BidRequest): void {
    const { shapes, shapeRow } = this.#index.meta;
    this.#shapeRows.length = 0;
    while (this.#impShapeRows.length < imps.length) this.#impShapeRows.push([]);
    for (let at = 0; at < imps.length; at++) (this.#impShapeRows[at] as number[]).length = 0;
    for (let shape = 0; shape < shapes.length; shape++) {
      const row = (shapeRow + shape) * this.#words;
      let any = false;
      for (let at = 0; at < imps.length; at++) {
        if (!mayFit(shapes[shape] as Shape, imps[at] as Imp)) continue;
        (this.#impShapeRows[at] as number[]).push(row);
        any = true;
      }
      if (any) this.#shapeRows.push(row);
    }
    this.#anyShape = this.#shapeRows.length === shapes.length;
  }

  /** Whether an offer has a creative that may fit an imp, by its number in the request. Cheaper than to try it. */
  mayFit({ position }: Offer, imp: number): boolean {
    return this.#isInAny(this.#impShapeRows[imp] as number[], position >>> 5, 1 << (position & 31));
  }

  #valueOf(name: DimensionName): string | null {
    const { request, exchange } = this.#question;
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

  #findPlaces(): void {
    const { request, preciseLocation, exchange } = this.#question;
    const { meta, sections } = this.#index;
    this.#location = preciseLocation ? request.device.location : null;
    this.#signal = this.#location === null ? null : signalOf(asTrusted(this.#location, exchange));
    this.#untrusted = [];
    this.#awayReason = 'outside_fence';
    if (meta.fenced === 0) return;
    if (this.#location === null || this.#signal === null) {
      if (!preciseLocation && request.device.location !== null) this.#awayReason = 'privacy';
      return;
    }
    const { placeShapes, placeItemStart, placeItems } = sections;
    const untrusted: number[] = [];
    for (const place of placesAt(sections, meta.resolutions, this.#location.lat, this.#location.lon)) {
      if (!isPreciseFor(this.#signal, placeShapes[place * 4 + 3] as number)) {
        this.#awayReason = 'untrusted_location';
        untrusted.push(place);
        continue;
      }
      const end = placeItemStart[place + 1] as number;
      for (let at = placeItemStart[place] as number; at < end; at++) this.#addHere((placeItems[at] as number) * PLACES + place);
    }
    this.#untrusted = untrusted;
    if (this.#hereCount > 1) this.#here.subarray(0, this.#hereCount).sort();
  }

  #addHere(key: number): void {
    if (this.#hereCount === this.#here.length) {
      const wider = new Float64Array(this.#hereCount * 2);
      wider.set(this.#here);
      this.#here = wider;
    }
    this.#here[this.#hereCount++] = key;
  }

  /** The offer of a rank, dearest first; null: there are no more that could be bid. */
  offer(rank: number): Offer | null {
    while (this.#ready.length <= rank) if (!this.#advance()) return null;
    return this.#ready[rank] as Offer;
  }

  /** Offers that no later window can beat become ready. */
  #advance(): boolean {
    const done = this.#seen >= this.#limit;
    if (this.#waiting.length > 0) {
      const bound = done ? Number.NEGATIVE_INFINITY : (this.#index.sections.maxCpm[this.#seen] as number);
      const waiting = this.#waiting;
      if (waiting.length > 1) waiting.sort(dearestFirst);
      let count = 0;
      while (count < waiting.length && (waiting[count] as Offer).price > bound) this.#ready.push(waiting[count++] as Offer);
      if (count > 0) {
        this.#waiting = waiting.slice(count);
        return true;
      }
    }
    if (done) return false;
    this.#look();
    return true;
  }

  /** Finds the line items of the next window whose targeting holds. */
  #look(): void {
    const from = this.#seen;
    const to = Math.min(this.#limit, (from + this.#width) & ~31);
    this.#width *= 2;
    this.#found.length = 0;
    this.#lookHere(to);
    this.#lookPosted(to);
    if (this.#index.meta.broad > 0) this.#lookBroad(from, to);
    this.#seen = to;
    const found = this.#found;
    const { stages } = this.#index;
    stages.passed += found.length;
    if (found.length > 1) found.sort(ascending);
    for (let i = 0; i < found.length; i++) {
      if (i > 0 && found[i] === found[i - 1]) continue;
      if (this.#waiting.length >= MOST_WAITING) {
        this.#cut = true;
        break;
      }
      const offer = this.offerOf(found[i] as number);
      if (offer !== null && offer.price >= (this.#least[this.#currencyOf(offer.position)] as number)) this.#waiting.push(offer);
    }
    if (!this.#cut) return;
    stages.truncated++;
    this.#seen = this.#limit;
  }

  #currencyOf(position: number): number {
    return this.#index.sections.currency[position] as number;
  }

  #lookHere(to: number): void {
    let last = -1;
    for (; this.#hereAt < this.#hereCount; this.#hereAt++) {
      const position = Math.floor((this.#here[this.#hereAt] as number) / PLACES);
      if (position >= to) return;
      if (position === last) continue;
      last = position;
      this.#index.stages.reached++;
      if (this.#passes(position, true)) this.#found.push(position);
    }
  }

  #lookPosted(to: number): void {
    const { postings } = this.#index.sections;
    const cursors = this.#cursors;
    const ends = this.#ends;
    let reached = 0;
    for (let list = 0; list < cursors.length; list++) {
      let at = cursors[list] as number;
      const end = ends[list] as number;
      for (; at < end; at++) {
        const position = postings[at] as number;
        if (position >= to) break;
        reached++;
        if (this.#passes(position, true)) this.#found.push(position);
      }
      cursors[list] = at;
    }
    this.#index.stages.reached += reached;
  }

  #lookBroad(from: number, to: number): void {
    const words = this.#words;
    const { rows } = this.#index.sections;
    const broad = ROWS.broad * words;
    const last = (to + 31) >>> 5;
    for (let word = from >>> 5; word < last; word++) {
      let bits = rows[broad + word] as number;
      if (bits === 0) continue;
      bits &= this.#wordOf(word, true);
      while (bits !== 0) {
        const position = word * 32 + (31 - Math.clz32(bits & -bits));
        bits &= bits - 1;
        this.#index.stages.reached++;
        if (position < to && this.#holds(position)) this.#found.push(position);
      }
      if (this.#found.length > MOST_WAITING * 2) {
        this.#cut = true;
        return;
      }
    }
  }

  /** Which of 32 line items are live and in all rows of the request. Sizes rule out most, so they are asked first. */
  #wordOf(word: number, shaped: boolean): number {
    const { rows, live } = this.#index.sections;
    let bits = live[word] as number;
    if (shaped && !this.#anyShape) {
      const shapeRows = this.#shapeRows;
      let shapes = 0;
      for (let i = 0; i < shapeRows.length; i++) shapes |= rows[(shapeRows[i] as number) + word] as number;
      bits &= shapes;
    }
    const wanted = this.#rows;
    for (let i = 0; i < wanted.length && bits !== 0; i++) bits &= rows[(wanted[i] as number) + word] as number;
    return bits;
  }

  /** Whether the targeting of a line item holds; one that is bound to places must be `here`. */
  #passes(position: number, shaped: boolean): boolean {
    const { rows, live } = this.#index.sections;
    const word = position >>> 5;
    const bit = 1 << (position & 31);
    if (shaped && !this.#anyShape && !this.#isInAny(this.#shapeRows, word, bit)) return false;
    const wanted = this.#rows;
    for (let i = 0; i < wanted.length; i++) if (((rows[(wanted[i] as number) + word] as number) & bit) === 0) return false;
    return ((live[word] as number) & bit) !== 0 && this.#holds(position);
  }

  #isInAny(wanted: readonly number[], word: number, bit: number): boolean {
    const { rows } = this.#index.sections;
    for (let i = 0; i < wanted.length; i++) if (((rows[(wanted[i] as number) + word] as number) & bit) !== 0) return true;
    return false;
  }

  /** Beyond the rows. */
  #holds(position: number): boolean {
    const { start, end, flags, clauseStart, clauses } = this.#index.sections;
    const { now } = this.#question;
    if (((flags[position] as number) & this.#forbidden) !== 0)
      return this.#fail(position, numberOf(STATE_REASONS[this.#question.person.state]));
    if (now < (start[position] as number) || now >= (end[position] as number)) return this.#fail(position, FLIGHT);
    const last = clauseStart[position + 1] as number;
    for (let at = clauseStart[position] as number; at < last; ) {
      if (!this.#clauseHolds(at)) return this.#fail(position, ((clauses[at] as number) >>> 8) & 255);
      at += HEAD_WORDS + (clauses[at + 1] as number);
    }
    return true;
  }

  /** Counts why; a position that several terms lead to once. */
  #fail(position: number, reason: number): false {
    if (this.#failed[position] === this.#epoch) return false;
    this.#failed[position] = this.#epoch;
    (this.#index.counts[position * COUNTED + reason] as number)++;
    return false;
  }

  /** Whether it is counted why a line item failed the present request. */
  isCounted(position: number): boolean {
    return this.#failed[position] === this.#epoch;
  }

  #clauseHolds(at: number): boolean {
    const { clauses } = this.#index.sections;
    const marks = this.#marks;
    const epoch = this.#epoch;
    const end = at + HEAD_WORDS + (clauses[at + 1] as number);
    let any = false;
    for (let i = at + HEAD_WORDS; i < end; i++) {
      const literal = clauses[i] as number;
      const holds = literal >= LATE ? this.#lateFailure((literal & ~LATE) >>> 1) === 0 : marks[literal >>> 1] === epoch;
      if (holds !== ((literal & 1) === 1)) {
        any = true;
        break;
      }
    }
    return any !== (((clauses[at] as number) & NONE_OF) !== 0);
  }

  /** 1 + number of the reason, 0 where it holds. */
  #lateFailure(term: number): number {
    if (this.#lateAsked[term] === this.#epoch) return this.#lateFailures[term] as number;
    const reason = failureOfLate(this.#lateTerm(term), this.#question, this.#index.supply);
    this.#lateAsked[term] = this.#epoch;
    const number = reason === null ? 0 : 1 + numberOf(reason);
    this.#lateFailures[term] = number;
    return number;
  }

  #lateTerm(term: number): LateTerm {
    const known = this.#lateTerms[term] ?? null;
    if (known !== null) return known;
    const { lateStart, lateBytes } = this.#index.sections;
    const json = Buffer.from(lateBytes.subarray(lateStart[term], lateStart[term + 1])).toString('utf8');
    const made = JSON.parse(json) as LateTerm;
    this.#lateTerms[term] = made;
    return made;
  }

  /** What a line item would bid at most; null where it shows open stores only, and there is none, unless that does not matter. */
  offerOf(position: number, closedToo = false): Offer | null {
    const { maxCpm, flags, promotedStart, promoted, distances } = this.#index.sections;
    const most = maxCpm[position] as number;
    const tie = mixed(this.#turn ^ Math.imul(position + 1, 0x9e37_79b1));
    const rule = promoted[promotedStart[position] as number] as number;
    const openOnly = ((flags[position] as number) & FLAGS.openStoresOnly) !== 0;
    const offer: Offer = {
      position,
      price: most,
      tie,
      lineItem: null,
      store: null,
      metres: null,
      shown: false,
      used: 0,
      reserved: 0,
      usedFor: null,
    };
    if (rule === 0 && !openOnly) return offer;
    if (!this.show(offer) && openOnly && !closedToo) return null;
    if (rule === 0) return offer;
    const halvesEvery = distances[(rule - 1) * 2] as number;
    const floorShare = distances[(rule - 1) * 2 + 1] as number;
    return { ...offer, price: priceOf({ maxCpm: most, distance: { halvesEvery, floorShare } }, offer.metres) };
  }

  /** Finds what an offer shows. Whether that is an open store. */
  show(offer: Offer): boolean {
    offer.shown = true;
    const stores = this.#storesOf(offer.position);
    if (stores.length === 0) return false;
    const promoted = nearestStore(stores, this.#location, this.#question.now);
    if (promoted === null) return false;
    offer.store = promoted.store;
    // A vague place may choose the store, but must not say how far it is.
    offer.metres = this.#signal === null || this.#signal.class === 'low' ? null : promoted.metres;
    return promoted.open;
  }

  /** Those in whose fences the device is, else those that it promotes. */
  #storesOf(position: number): LiveStore[] {
    const index = this.#index;
    const { flags, placeStores, promotedStart, promoted } = index.sections;
    const stores: LiveStore[] = [];
    if (((flags[position] as number) & FLAGS.fenced) !== 0) {
      for (let at = this.#firstHere(position); at < this.#hereCount; at++) {
        const key = this.#here[at] as number;
        if (Math.floor(key / PLACES) !== position) break;
        const store = placeStores[key % PLACES] as number;
        if (store > 0) stores.push(index.storeAt(store - 1));
      }
      if (stores.length > 0) return stores;
    }
    const end = promotedStart[position + 1] as number;
    for (let at = (promotedStart[position] as number) + 1; at < end; at++) stores.push(index.storeAt(promoted[at] as number));
    return stores;
  }

  #firstHere(position: number): number {
    let low = 0;
    let high = this.#hereCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#here[middle] as number) < position * PLACES) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isHere(position: number): boolean {
    const at = this.#firstHere(position);
    return at < this.#hereCount && Math.floor((this.#here[at] as number) / PLACES) === position;
  }

  /** What of a line item does not hold, in the order in which it is asked; `all`: everything, else the first. */
  failuresOf(position: number, all: boolean): Failure[] {
    const index = this.#index;
    const { live, rows, start, end, flags, clauseStart, clauses } = index.sections;
    const { now, childOnly } = this.#question;
    const flag = flags[position] as number;
    const failures: Failure[] = [];
    if (!isIn(live, 0, position)) failures.push({ reason: 'no_line_item', part: 'live' });
    if (flag & FLAGS.fenced && !this.#isHere(position))
      failures.push({ reason: this.#awayReasonOf(position), part: 'geofences' });
    if (!all && failures.length > 0) return failures;
    this.#addRowFailures(position, true, failures);
    if (now < (start[position] as number) || now >= (end[position] as number))
      failures.push({ reason: 'flight', part: 'flight' });
    if (childOnly && !isIn(rows, ROWS.childSafe * this.#words, position)) failures.push({ reason: 'privacy', part: 'childSafe' });
    this.#addRowFailures(position, false, failures);
    if (!all && failures.length > 0) return failures;
    let askedPerson = false;
    const last = clauseStart[position + 1] as number;
    for (let at = clauseStart[position] as number; at < last; at += HEAD_WORDS + (clauses[at + 1] as number)) {
      const head = clauses[at] as number;
      const reason = REASONS[(head >>> 8) & 255] as NoBidReason;
      const part = PARTS[head >>> 16] as Part;
      if (!askedPerson && LAST_PARTS.has(part)) {
        askedPerson = true;
        this.#askPerson(flag, failures);
        if (!all && failures.length > 0) return failures;
      }
      if ((head & PERSONAL && this.#forbidden !== 0) || this.#clauseHolds(at)) continue;
      failures.push({ reason: part === 'supply' ? this.#supplyReason(at) : reason, part });
      if (!all && failures.length > 0) return failures;
    }
    if (!askedPerson) this.#askPerson(flag, failures);
    if (flag & FLAGS.openStoresOnly && this.offerOf(position) === null)
      failures.push({ reason: 'store_closed', part: 'openStoresOnly' });
    return failures;
  }

  #addRowFailures(position: number, exchange: boolean, failures: Failure[]): void {
    const { meta, sections } = this.#index;
    for (let i = 0; i < meta.dimensions.length; i++) {
      const { name } = meta.dimensions[i] as (typeof meta.dimensions)[number];
      if ((name === 'exchange') !== exchange || isIn(sections.rows, this.#rows[i] as number, position)) continue;
      failures.push({ reason: ROW_REASONS[name], part: VALUE_PARTS[name] });
    }
  }

  #askPerson(flag: number, failures: Failure[]): void {
    if ((flag & this.#forbidden) !== 0) failures.push({ reason: STATE_REASONS[this.#question.person.state], part: 'person' });
  }

  #supplyReason(at: number): NoBidReason {
    const literal = this.#index.sections.clauses[at + HEAD_WORDS] as number;
    return REASONS[this.#lateFailure((literal & ~LATE) >>> 1) - 1] as NoBidReason;
  }

  /** Its own fence may be one that the device is in, but too small for what is known of where the device is. */
  #awayReasonOf(position: number): NoBidReason {
    if (this.#awayReason !== 'untrusted_location') return this.#awayReason;
    const { placeItemStart, placeItems } = this.#index.sections;
    for (const place of this.#untrusted) {
      const items = placeItems.subarray(placeItemStart[place], placeItemStart[place + 1]);
      if (items.includes(position)) return 'untrusted_location';
    }
    return 'outside_fence';
  }

  /** Why no fenced line item elsewhere bids, of the furthest; null: none is bound to places. */
  awayReason(): NoBidReason | null {
    return this.#index.meta.fenced === 0 ? null : this.#awayReason;
  }

  /**
   * Line items that something led to, dearest first within each way: those here, then those of each true term. Few, whatever the size
   * of the index; what the windows left behind included.
   */
  reached(most: number): readonly number[] {
    const positions = this.#found;
    positions.length = 0;
    for (let at = 0; at < this.#hereCount && positions.length < most; at++)
      positions.push(Math.floor((this.#here[at] as number) / PLACES));
    const { postings } = this.#index.sections;
    for (let list = 0; list < this.#ends.length && positions.length < most * 2; list++) {
      const start = this.#starts[list] as number;
      const end = Math.min(this.#ends[list] as number, start + POSTED_SAMPLE);
      for (let at = start; at < end; at++) positions.push(postings[at] as number);
    }
    return positions;
  }

  /** Line items bound to no place that are in all rows of the request, dearest first; few. */
  inRows(most: number): readonly number[] {
    const positions = this.#found;
    positions.length = 0;
    const { rows } = this.#index.sections;
    const broad = ROWS.broad * this.#words;
    const posted = ROWS.posted * this.#words;
    for (let word = 0; word < this.#words && positions.length < most; word++) {
      let bits = (rows[broad + word] as number) | (rows[posted + word] as number);
      if (bits !== 0) bits &= this.#wordOf(word, false);
      for (; bits !== 0 && positions.length < most; bits &= bits - 1) positions.push(word * 32 + (31 - Math.clz32(bits & -bits)));
    }
    return positions;
  }

  /** Whether a line item may be offered, whatever the shapes of its creatives. */
  mayOffer(position: number): boolean {
    const bound = ((this.#index.sections.flags[position] as number) & FLAGS.fenced) !== 0;
    return this.#passes(position, false) && (!bound || this.#isHere(position));
  }

  /** Of the line items bound to no place, how far the furthest came through the rows: the first row that stopped all of them. */
  rowReason(): NoBidReason {
    const { meta, sections } = this.#index;
    const { rows, live } = sections;
    const { childOnly } = this.#question;
    let depth = 0;
    for (let word = 0; word < this.#words && depth <= this.#rows.length; word++) {
      let bits =
        (live[word] as number) &
        ((rows[ROWS.broad * this.#words + word] as number) | (rows[ROWS.posted * this.#words + word] as number));
      let passed = 0;
      for (; passed < this.#rows.length && bits !== 0; passed++) bits &= rows[(this.#rows[passed] as number) + word] as number;
      if (bits !== 0) return 'no_line_item';
      depth = Math.max(depth, passed);
    }
    if (depth === 0) return 'no_line_item';
    const stopped = meta.dimensions[depth - 1];
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

const FLIGHT = numberOf('flight');
/** Counts of a line item: its reasons and its bids, as in `Index.counts`. */
const COUNTED = REASONS.length + 1;

/** More places than any index has. */
const PLACES = 2 ** 21;
const POSTED_SAMPLE = 4;

/** Parts that are asked after the person. */
const LAST_PARTS: ReadonlySet<Part> = new Set(['segments', 'excludedSegments', 'segmentRule', 'userData', 'eids', 'deals']);

type State = Question['person']['state'];

/**
 * A line item with segments, caps or a holdout needs a person: without one it can neither be targeted nor capped nor measured.
 * Where the store was not read, a profile might exist under another anchor, so the bucket is unknown too. Caps alone can be kept
 * without knowing more of a person than a count. What a request tells of a person is used only where the person may be known.
 */
const FORBIDDEN: Readonly<Record<State, number>> = {
  known: 0,
  unknown: 0,
  nobody: FLAGS.needsPerson,
  unread: FLAGS.needsPerson,
  counted: FLAGS.needsProfile | FLAGS.usesTold,
  withheld: FLAGS.needsPerson | FLAGS.usesTold,
};

const STATE_REASONS: Readonly<Record<State, NoBidReason>> = {
  known: 'segment',
  unknown: 'segment',
  nobody: 'unmatched_user',
  unread: 'storage',
  counted: 'privacy',
  withheld: 'privacy',
};

function dearestFirst(a: Offer, b: Offer): number {
  return b.price - a.price || a.tie - b.tie;
}

function ascending(a: number, b: number): number {
  return a - b;
}

/** Some exchanges send the device's own place without its type. */
function asTrusted(location: Location, { trustsUnknownLocation }: LiveExchange): Location {
  return trustsUnknownLocation && location.type === null ? { ...location, type: 1 } : location;
}
