import { FLAGS, HEAD_WORDS, ROWS } from './clauses.ts';
import { wordsFor } from './compile.ts';
import { Here } from './here.ts';
import type { Sections } from './layout.ts';
import { Marks } from './marks.ts';
import { dearestFirst, type Offer, Showcase } from './offer.ts';
import { FORBIDDEN, STATE_REASONS } from './person.ts';
import type { Question } from './question.ts';
import { numberOf } from './reason.ts';
import { Rows } from './rows.ts';
import { COUNTS, type Stock } from './stock.ts';

/** Positions of the first window; each further one is twice as wide. */
const FIRST_WINDOW = 256;
/** Offers that may wait at once: of more the cheaper are not looked at. Line items lie by price, so that is mild. */
const MOST_WAITING = 512;

/**
 * A request against an index. `begin` finds what is true of it; then offers come in falling price, made window by window of positions, so
 * that what cannot win is never looked at. One request at a time: what it needs is kept between requests, and nothing of it is made anew
 * but the offers.
 */
export class Match {
  readonly #index: Stock;
  readonly #sections: Sections;
  readonly rows: Rows;
  readonly marks: Marks;
  readonly here: Here;
  readonly showcase: Showcase;
  question!: Question;
  /** Flags that a line item must not have, because of what is known of the person. */
  forbidden = 0;
  /** First position that is too cheap for any floor of the request. */
  limit = 0;
  #epoch = 0;
  /** Line items of which it is counted why they failed the present request: where it is `#epoch`. */
  readonly #failed: Uint32Array;
  #turn = 0;
  #least: readonly number[] = [];
  #hereAt = 0;
  /** End of the windows so far, and width of the next. */
  #seen = 0;
  #width = FIRST_WINDOW;
  /** More passed than are waited for: what is cheaper is not looked at. */
  #cut = false;
  /** Positions of a window, as many as `#foundCount`. */
  #found = new Uint32Array(256);
  #foundCount = 0;
  #waiting: Offer[] = [];
  #ready: Offer[] = [];

  constructor(index: Stock) {
    const { meta, sections } = index;
    this.#index = index;
    this.#sections = sections;
    this.rows = new Rows(meta, sections, index.rowCounts);
    this.marks = new Marks(meta, sections, index.supply);
    this.here = new Here(meta, sections);
    this.showcase = new Showcase(index, this.here);
    this.#failed = new Uint32Array(meta.size);
  }

  /**
   * `least`: by currency of the index the least price in micros that could be bid; `turn`: a number of the auction by which equal
   * prices take turns.
   */
  begin(question: Question, least: readonly number[], turn: number): void {
    this.question = question;
    this.forbidden = FORBIDDEN[question.person.state];
    this.#turn = turn;
    this.#least = least;
    if (this.#waiting.length > 0) this.#waiting = [];
    if (this.#ready.length > 0) this.#ready = [];
    this.#hereAt = 0;
    this.#seen = 0;
    this.#cut = false;
    this.#width = FIRST_WINDOW;
    this.limit = this.#firstBelow(leastOf(least));
    if (++this.#epoch === 0xffff_ffff) this.#startOver();
    this.marks.begin(question, this.#epoch);
    this.rows.pick(question);
    this.here.find(question);
  }

  #startOver(): void {
    this.marks.forget();
    this.#failed.fill(0);
    this.#epoch = 1;
  }

  /** The first position whose line item pays less. */
  #firstBelow(price: number): number {
    const { maxCpm } = this.#sections;
    let low = 0;
    let high = maxCpm.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((maxCpm[middle] as number) >= price) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The offer of a rank, dearest first; null: there are no more that could be bid. */
  offer(rank: number): Offer | null {
    while (this.#ready.length <= rank) if (!this.#advance()) return null;
    return this.#ready[rank] as Offer;
  }

  /** Offers that no later window can beat become ready. */
  #advance(): boolean {
    const done = this.#seen >= this.limit;
    if (this.#waiting.length > 0) {
      const bound = done ? Number.NEGATIVE_INFINITY : (this.#sections.maxCpm[this.#seen] as number);
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
    const to = Math.min(this.limit, (from + this.#width) & ~31);
    this.#width *= 2;
    this.#foundCount = 0;
    this.#lookHere(to);
    this.#lookPosted(to);
    if (this.#index.meta.broad > 0) this.#lookBroad(from, to);
    this.#seen = to;
    const { stages } = this.#index;
    stages.passed += this.#foundCount;
    if (this.#foundCount > 0) this.#makeOffers();
    if (!this.#cut) return;
    stages.truncated++;
    this.#seen = this.limit;
  }

  #makeOffers(): void {
    const found = this.#found;
    const count = this.#foundCount;
    const { currency } = this.#sections;
    if (count > 1) found.subarray(0, count).sort();
    for (let i = 0; i < count; i++) {
      const position = found[i] as number;
      if (i > 0 && position === found[i - 1]) continue;
      if (this.#waiting.length >= MOST_WAITING) {
        this.#cut = true;
        return;
      }
      const offer = this.offerOf(position);
      if (offer !== null && offer.price >= (this.#least[currency[position] as number] as number)) this.#waiting.push(offer);
    }
  }

  #find(position: number): void {
    if (this.#foundCount === this.#found.length) {
      const wider = new Uint32Array(this.#foundCount * 2);
      wider.set(this.#found);
      this.#found = wider;
    }
    this.#found[this.#foundCount++] = position;
  }

  #lookHere(to: number): void {
    const { here } = this;
    let last = -1;
    for (; this.#hereAt < here.count; this.#hereAt++) {
      const position = here.positionAt(this.#hereAt);
      if (position >= to) return;
      if (position === last) continue;
      last = position;
      this.#index.stages.reached++;
      if (this.#passes(position)) this.#find(position);
    }
  }

  #lookPosted(to: number): void {
    const { postings } = this.#sections;
    const { cursors, ends } = this.marks;
    let reached = 0;
    for (let list = 0; list < cursors.length; list++) {
      let at = cursors.at(list);
      const end = ends.at(list);
      for (; at < end; at++) {
        const position = postings[at] as number;
        if (position >= to) break;
        reached++;
        if (this.#passes(position)) this.#find(position);
      }
      cursors.set(list, at);
    }
    this.#index.stages.reached += reached;
  }

  #lookBroad(from: number, to: number): void {
    const { rows } = this.#sections;
    const broad = ROWS.broad * wordsFor(this.#index.meta.size);
    const last = (to + 31) >>> 5;
    for (let word = from >>> 5; word < last; word++) {
      let bits = rows[broad + word] as number;
      if (bits === 0) continue;
      bits &= this.rows.wordOf(word, true);
      while (bits !== 0) {
        const position = word * 32 + (31 - Math.clz32(bits & -bits));
        bits &= bits - 1;
        this.#index.stages.reached++;
        if (position < to && this.#holds(position)) this.#find(position);
      }
      if (this.#foundCount > MOST_WAITING * 2) {
        this.#cut = true;
        return;
      }
    }
  }

  /** Whether the targeting of a line item holds, and a creative may fit; one that is bound to places must be here. */
  #passes(position: number): boolean {
    return this.rows.isShaped(position) && this.rows.hold(position) && this.#holds(position);
  }

  /** Whether a line item may be offered, whatever the shapes of its creatives. */
  mayOffer(position: number): boolean {
    if (this.isCounted(position)) return false;
    const bound = ((this.#sections.flags[position] as number) & FLAGS.fenced) !== 0;
    return this.rows.hold(position) && this.#holds(position) && (!bound || this.here.holds(position));
  }

  /** Beyond the rows. */
  #holds(position: number): boolean {
    const { start, end, flags, clauseStart, clauses } = this.#sections;
    const { now, person } = this.question;
    if (((flags[position] as number) & this.forbidden) !== 0) return this.#fail(position, numberOf(STATE_REASONS[person.state]));
    if (now < (start[position] as number) || now >= (end[position] as number)) return this.#fail(position, FLIGHT);
    const last = clauseStart[position + 1] as number;
    for (let at = clauseStart[position] as number; at < last; at += HEAD_WORDS + (clauses[at + 1] as number))
      if (!this.marks.hold(at)) return this.#fail(position, ((clauses[at] as number) >>> 8) & 255);
    return true;
  }

  /** Counts why; a position that several terms lead to once. */
  #fail(position: number, reason: number): false {
    if (this.#failed[position] === this.#epoch) return false;
    this.#failed[position] = this.#epoch;
    const { counts } = this.#index;
    const at = position * COUNTS + reason;
    counts[at] = (counts[at] as number) + 1;
    return false;
  }

  /** Whether it is counted why a line item failed the present request. */
  isCounted(position: number): boolean {
    return this.#failed[position] === this.#epoch;
  }

  /** What a line item would bid at most; null where it shows open stores only, and there is none, unless that does not matter. */
  offerOf(position: number, closedToo = false): Offer | null {
    return this.showcase.offerOf(position, this.question.now, this.#turn, closedToo);
  }

  /** Finds what an offer shows. Whether that is an open store. */
  show(offer: Offer): boolean {
    return this.showcase.show(offer, this.question.now);
  }

  /** Whether an offer has a creative that may fit an imp, by its number in the request. Cheaper than to try it. */
  mayFit({ position }: Offer, imp: number): boolean {
    return this.rows.mayFit(position, imp);
  }
}

function leastOf(prices: readonly number[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const price of prices) if (price < least) least = price;
  return least;
}

const FLIGHT = numberOf('flight');
