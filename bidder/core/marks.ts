import { hourOf, type MembershipVisitor, UNKNOWN_AGE, visitMemberships } from '../../proto/profile.ts';
import { zipKey } from '../../proto/zip.ts';
import { browserIn } from '../openrtb/browser.ts';
import type { SupplyLists } from '../supply.ts';
import { HEAD_WORDS, LATE, NONE_OF } from './clauses.ts';
import { findText, NONE, TEXT } from './dictionary.ts';
import { failureOfLate, type LateTerm } from './late.ts';
import { mixed, NumberList, type Sections } from './layout.ts';
import { DIMENSIONS, type Meta } from './meta.ts';
import type { Question } from './question.ts';
import { numberOf } from './reason.ts';
import { statedOf } from './rows.ts';

/** Bits of the patterns 4 to 7 of `geoPatterns`, which have a zip. */
const WITH_ZIP = 0b1111_0000;

/**
 * The terms that are true of a request, each marked in a scratch array by the number of the request; clauses ask the marks. Terms that are
 * dear to ask are asked when a line item gets there, once a request.
 */
export class Marks implements MembershipVisitor {
  readonly #meta: Meta;
  readonly #sections: Sections;
  readonly #supply: SupplyLists;
  readonly #clauses: Uint32Array;
  readonly #postingStart: Uint32Array;
  readonly #segmentSlots: Uint32Array;
  /** True of the present request where it is `#epoch`. */
  readonly #marks: Uint32Array;
  #epoch = 0;
  /** Of late terms: `#epoch` where it was asked, and 1 + number of the reason, 0: it holds. */
  readonly #lateAsked: Uint32Array;
  readonly #lateFailures: Uint8Array;
  readonly #lateTerms: (LateTerm | null)[];
  #question!: Question;
  /** Postings of true terms: where they start, how far they have been looked at, and where they end. */
  readonly starts = new NumberList();
  readonly cursors = new NumberList();
  readonly ends = new NumberList();

  constructor(meta: Meta, sections: Sections, supply: SupplyLists) {
    this.#meta = meta;
    this.#sections = sections;
    this.#supply = supply;
    this.#clauses = sections.clauses;
    this.#postingStart = sections.postingStart;
    this.#segmentSlots = sections.segmentSlots;
    this.#marks = new Uint32Array(meta.terms);
    this.#lateAsked = new Uint32Array(meta.lateTerms);
    this.#lateFailures = new Uint8Array(meta.lateTerms);
    this.#lateTerms = new Array<LateTerm | null>(meta.lateTerms).fill(null);
  }

  /** `epoch`: number of the request, another one than of those before, unless `forget` was called. */
  begin(question: Question, epoch: number): void {
    this.#question = question;
    this.#epoch = epoch;
    this.starts.length = 0;
    this.cursors.length = 0;
    this.ends.length = 0;
    this.#markRequest();
    this.#markPerson();
  }

  /** Marks of four billion requests ago would count again. */
  forget(): void {
    this.#marks.fill(0);
    this.#lateAsked.fill(0);
  }

  #mark(term: number): void {
    if (term === NONE || this.#marks[term] === this.#epoch) return;
    this.#marks[term] = this.#epoch;
    const start = this.#postingStart[term] as number;
    const end = this.#postingStart[term + 1] as number;
    if (start === end) return;
    this.starts.push(start);
    this.cursors.push(start);
    this.ends.push(end);
  }

  #markText(kind: number, text: string): void {
    if (text !== '') this.#mark(findText(this.#sections, kind, text));
  }

  #markRequest(): void {
    const { asks } = this.#meta;
    const { device, inventory, imps, eids } = this.#question.request;
    if (asks.make) this.#markText(TEXT.make, device.make);
    if (asks.model) this.#markText(TEXT.model, device.model);
    if (asks.browser) this.#markText(TEXT.browser, browserIn(device));
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
    this.#markOverflows();
  }

  /** Values beyond those that have rows. */
  #markOverflows(): void {
    const { dimensions } = this.#meta;
    for (let i = 0; i < dimensions.length; i++) {
      const { name, overflows } = dimensions[i] as (typeof dimensions)[number];
      if (overflows) this.#markText(TEXT.value + DIMENSIONS.indexOf(name), statedOf(name, this.#question) ?? '');
    }
  }

  /** Each way in which some line item names places. */
  #markGeo(): void {
    const { country, region, city, zip: given } = this.#question.request.device;
    const { geoPatterns } = this.#meta;
    const zip = geoPatterns & WITH_ZIP ? zipKey(given) : '';
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
    const entry = findText(this.#sections, kind, text);
    if (entry === NONE) return;
    const { listedStart, listed } = this.#sections;
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
    if (state !== 'known' && state !== 'unknown') return;
    const hour = hourOf(now);
    for (let i = 0; i < memberships.length; i++) visitMemberships(memberships[i] as Buffer, hour, now, this);
  }

  /** A membership of the person; `age` in hours. */
  take(segment: number, age: number): void {
    const slots = this.#segmentSlots;
    const mask = slots.length / 2 - 1;
    for (let slot = mixed(segment) & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot * 2 + 1] as number;
      if (entry === 0) return;
      if (slots[slot * 2] !== segment) continue;
      const { segmentStart, segmentHours, segmentTerms } = this.#sections;
      const end = segmentStart[entry] as number;
      for (let at = segmentStart[entry - 1] as number; at < end; at++) {
        const hours = segmentHours[at] as number;
        if (hours === NONE || (age !== UNKNOWN_AGE && age <= hours)) this.#mark(segmentTerms[at] as number);
      }
      return;
    }
  }

  /** Whether the clause that begins at a word holds. */
  hold(at: number): boolean {
    const clauses = this.#clauses;
    const marks = this.#marks;
    const epoch = this.#epoch;
    const end = at + HEAD_WORDS + (clauses[at + 1] as number);
    let any = false;
    for (let i = at + HEAD_WORDS; i < end; i++) {
      const literal = clauses[i] as number;
      const holds = literal >= LATE ? this.lateFailure(literal) === 0 : marks[literal >>> 1] === epoch;
      if (holds !== ((literal & 1) === 1)) {
        any = true;
        break;
      }
    }
    return any !== (((clauses[at] as number) & NONE_OF) !== 0);
  }

  /** Of a literal whose term is late: 1 + number of the reason, 0 where it holds. */
  lateFailure(literal: number): number {
    const term = (literal & ~LATE) >>> 1;
    if (this.#lateAsked[term] === this.#epoch) return this.#lateFailures[term] as number;
    const reason = failureOfLate(this.#lateTerm(term), this.#question, this.#supply);
    this.#lateAsked[term] = this.#epoch;
    const number = reason === null ? 0 : 1 + numberOf(reason);
    this.#lateFailures[term] = number;
    return number;
  }

  #lateTerm(term: number): LateTerm {
    const known = this.#lateTerms[term] ?? null;
    if (known !== null) return known;
    const { lateStart, lateBytes } = this.#sections;
    const json = Buffer.from(lateBytes.subarray(lateStart[term], lateStart[term + 1])).toString('utf8');
    const made = JSON.parse(json) as LateTerm;
    this.#lateTerms[term] = made;
    return made;
  }
}
