import type { NoBidReason } from '../../proto/no-bid.ts';
import type { GeoName, LiveLineItem, LiveList, SegmentLiteral, Targeting } from '../../proto/snapshot.ts';
import { FLAGS, LATE, NONE_OF, type Part, PERSONAL, partNumber } from './clauses.ts';
import { DictionaryBuilder, NONE, TEXT } from './dictionary.ts';
import type { LateTerm } from './late.ts';
import { ByteList, groupBy, mixed, NumberList, slotsFor, startsOf } from './layout.ts';
import { type AskedKind, DIMENSIONS, type DimensionName } from './meta.ts';
import { numberOf } from './reason.ts';

/** More values of a dimension than this are terms: a row costs a bit for every line item. */
const MOST_VALUES = 128;
/** A clause that more requests than this pass is no way to reach a line item. */
const SELECTIVE = 0.5;

/** About which share of requests a literal is true for: a clause of few, rare literals is the way to reach a line item. */
const SHARES = {
  segment: 0.02,
  make: 0.2,
  model: 0.01,
  browser: 0.4,
  carrier: 0.1,
  geo: 0.02,
  country: 0.2,
  category: 0.05,
  contentLanguage: 0.4,
  userData: 0.05,
  eid: 0.6,
  deal: 0.01,
  list: 0.05,
  value: 0.02,
} as const;

interface Access {
  share: number;
  literals: readonly number[];
}

/** Writes the targeting of line items as clauses over terms, rows of bits and postings. Line items are numbered as they come. */
export class TermWriter {
  readonly texts = new DictionaryBuilder();
  readonly clauseStart = new NumberList();
  readonly clauses = new NumberList();
  readonly asks: Record<AskedKind, boolean> = {
    make: false,
    model: false,
    browser: false,
    carrier: false,
    geo: false,
    category: false,
    contentLanguage: false,
    userData: false,
    eid: false,
    deal: false,
    lists: false,
  };
  geoPatterns = 0;
  terms = 0;
  readonly dimensions = DIMENSIONS.map((name) => ({
    name,
    values: new Map<string, number>(),
    overflows: false,
    /** Line items that do not take any value, and pairs of line item and value. */
    narrowed: new NumberList(),
    wanting: new NumberList(),
    wanted: new NumberList(),
  }));
  /** Pairs of term and line item that it leads to; and those line items that nothing leads to. */
  readonly postedTerms = new NumberList();
  readonly postedItems = new NumberList();
  readonly posted = new NumberList();
  readonly broad = new NumberList();
  readonly #segments = new Map<number, Map<number, number>>();
  readonly #listTerms = new Map<string, number>();
  readonly #late = new Map<string, number>();
  readonly #lateBytes = new ByteList();
  readonly #lateStarts = new NumberList();
  readonly #listedEntries = new NumberList();
  readonly #listedTerms = new NumberList();
  #entries = 0;
  #item = 0;
  #access: Access = { share: Number.POSITIVE_INFINITY, literals: [] };

  constructor(lists: readonly LiveList[]) {
    for (const list of lists) this.#addList(list);
  }

  /** The clauses of the next line item, in the order in which it would tell why it does not bid. */
  add({ targeting, caps, holdout }: Pick<LiveLineItem, 'targeting' | 'caps' | 'holdout'>): number {
    this.#item = this.clauseStart.length;
    this.#access = { share: Number.POSITIVE_INFINITY, literals: [] };
    this.clauseStart.push(this.clauses.length);
    this.#addInventory(targeting);
    this.#addArea(targeting);
    this.#addDevice(targeting);
    if (targeting.dayparts !== null)
      this.#addLate('daypart', 'dayparts', { kind: 'hours', spans: targeting.dayparts, zone: targeting.timeZone });
    if (targeting.supply !== null) this.#addLate('blocked_node', 'supply', { kind: 'supply', rule: targeting.supply });
    this.#addAudience(targeting);
    const { deals } = targeting;
    if (deals !== null) this.#addTexts('deal', TEXT.deal, deals, 'deal', SHARES.deal, 0);
    const fenced = targeting.stores !== null || targeting.geofences !== null;
    if (!fenced) this.#addAccess();
    const needsProfile =
      targeting.segments !== null ||
      targeting.excludedSegments.length > 0 ||
      targeting.segmentRule !== null ||
      (holdout !== null && holdout.share > 0);
    return (
      (needsProfile || caps.length > 0 ? FLAGS.needsPerson : 0) |
      (needsProfile ? FLAGS.needsProfile : 0) |
      (targeting.userData !== null || targeting.eids !== null ? FLAGS.usesTold : 0) |
      (fenced ? FLAGS.fenced : 0) |
      (targeting.openStoresOnly ? FLAGS.openStoresOnly : 0)
    );
  }

  #addAccess(): void {
    const { share, literals } = this.#access;
    if (share > SELECTIVE) {
      this.broad.push(this.#item);
      return;
    }
    this.posted.push(this.#item);
    for (const literal of new Set(literals)) {
      this.postedTerms.push(literal >>> 1);
      this.postedItems.push(this.#item);
    }
  }

  #addInventory({ exchanges, inventory, lists, content }: Targeting): void {
    this.#addValues('exchange', exchanges, 'no_line_item');
    this.#addValues('inventory', inventory, 'inventory');
    if (lists !== null) {
      const { include, exclude } = lists;
      if (include !== null)
        this.#addClause(
          'inventory',
          'lists',
          0,
          include.map((id) => this.#listTerm(id) * 2),
          SHARES.list,
        );
      if (exclude.length > 0)
        this.#addClause(
          'inventory',
          'lists',
          NONE_OF,
          exclude.map((id) => this.#listTerm(id) * 2),
        );
    }
    if (content === null) return;
    const { include, exclude, languages } = content;
    if (include !== null) this.#addTexts('category', TEXT.category, include, 'inventory', SHARES.category, 0);
    if (exclude.length > 0) this.#addTexts('category', TEXT.category, exclude, 'inventory', 1, NONE_OF);
    if (languages !== null)
      this.#addTexts('contentLanguage', TEXT.contentLanguage, languages, 'inventory', SHARES.contentLanguage, 0);
  }

  #addArea({ geo }: Targeting): void {
    if (geo === null) return;
    const { include, exclude } = geo;
    if (include !== null) {
      const share = include.every((name) => patternOf(name) > 0) ? SHARES.geo : SHARES.country;
      this.#addTexts('geo', TEXT.geo, include.map(geoText), 'outside_area', share, 0);
    }
    if (exclude.length > 0) this.#addTexts('geo', TEXT.geo, exclude.map(geoText), 'outside_area', 1, NONE_OF);
    for (const name of [...(include ?? []), ...exclude]) this.geoPatterns |= 1 << patternOf(name);
  }

  #addDevice(targeting: Targeting): void {
    const { deviceTypes, os, osVersions, makes, models, browsers, carriers, connectionTypes, languages } = targeting;
    const reason = 'unsupported_device';
    this.#addValues('deviceType', deviceTypes?.map(String) ?? null, reason);
    this.#addValues('os', os, reason);
    if (osVersions !== null) this.#addLate(reason, 'osVersions', { kind: 'osVersions', range: osVersions });
    if (makes !== null) this.#addTexts('make', TEXT.make, makes, reason, SHARES.make, 0);
    if (models !== null) this.#addTexts('model', TEXT.model, models, reason, SHARES.model, 0);
    if (browsers !== null) this.#addTexts('browser', TEXT.browser, browsers, reason, SHARES.browser, 0);
    if (carriers !== null) this.#addTexts('carrier', TEXT.carrier, carriers, reason, SHARES.carrier, 0);
    this.#addValues('connectionType', connectionTypes?.map(String) ?? null, reason);
    this.#addValues('language', languages, reason);
  }

  #addAudience({ segments, excludedSegments, segmentRule, userData, eids }: Targeting): void {
    const member = (segment: number): number => this.#segmentTerm(segment, null) * 2;
    for (const group of segments ?? []) this.#addClause('segment', 'segments', PERSONAL, group.map(member), SHARES.segment);
    if (excludedSegments.length > 0)
      this.#addClause('segment', 'excludedSegments', PERSONAL | NONE_OF, excludedSegments.map(member));
    for (const clause of segmentRule ?? []) {
      const literals = clause.map((literal) => this.#segmentLiteral(literal));
      const share = clause.some(({ not }) => not) ? 1 : SHARES.segment;
      this.#addClause('segment', 'segmentRule', PERSONAL, literals, share);
    }
    for (const group of userData ?? []) this.#addTexts('userData', TEXT.userData, group, 'segment', SHARES.userData, 0);
    if (eids !== null) this.#addTexts('eid', TEXT.eid, eids, 'segment', SHARES.eid, 0);
  }

  #segmentLiteral({ segment, not, withinHours }: SegmentLiteral): number {
    return this.#segmentTerm(segment, withinHours) * 2 + (not ? 1 : 0);
  }

  /** Values with a row; those beyond the rows become a clause over terms. */
  #addValues(name: DimensionName, wanted: readonly string[] | null, reason: NoBidReason): void {
    if (wanted === null) return;
    const number = DIMENSIONS.indexOf(name);
    const dimension = this.dimensions[number] as (typeof this.dimensions)[number];
    const fresh = wanted.filter((value) => !dimension.values.has(value));
    if (dimension.values.size + fresh.length > MOST_VALUES) {
      dimension.overflows = true;
      this.#addClause(
        reason,
        VALUE_PARTS[name],
        0,
        wanted.map((value) => this.#textTerm(TEXT.value + number, value) * 2),
        SHARES.value,
      );
      return;
    }
    dimension.narrowed.push(this.#item);
    for (const value of wanted) {
      if (!dimension.values.has(value)) dimension.values.set(value, dimension.values.size);
      dimension.wanting.push(this.#item);
      dimension.wanted.push(dimension.values.get(value) as number);
    }
  }

  #addTexts(asked: AskedKind, kind: number, texts: readonly string[], reason: NoBidReason, share: number, flags: number): void {
    this.asks[asked] = true;
    const literals = texts.map((text) => this.#textTerm(kind, text) * 2);
    this.#addClause(reason, TEXT_PARTS[asked], flags, literals, share);
  }

  /** `share`: of the requests, that each literal is true for; 1 where the clause leads nowhere. */
  #addClause(reason: NoBidReason, part: Part, flags: number, literals: readonly number[], share = 1): void {
    this.clauses.push(flags | (numberOf(reason) << 8) | (partNumber(part) << 16));
    this.clauses.push(literals.length);
    for (const literal of literals) this.clauses.push(literal);
    if (flags & NONE_OF || share >= 1) return;
    const reach = share * literals.length;
    if (reach < this.#access.share) this.#access = { share: reach, literals };
  }

  #addLate(reason: NoBidReason, part: Part, term: LateTerm): void {
    const json = JSON.stringify(term);
    let number = this.#late.get(json);
    if (number === undefined) {
      number = this.#late.size;
      this.#late.set(json, number);
      this.#lateStarts.push(this.#lateBytes.length);
      this.#lateBytes.push(Buffer.from(json));
    }
    this.#addClause(reason, part, 0, [(LATE | (number * 2)) >>> 0]);
  }

  #textTerm(kind: number, text: string): number {
    const term = this.texts.add(kind, text, this.terms);
    if (term === this.terms) this.terms++;
    return term;
  }

  #segmentTerm(segment: number, withinHours: number | null): number {
    const hours = withinHours ?? NONE;
    const ages = this.#segments.get(segment) ?? new Map<number, number>();
    if (ages.size === 0) this.#segments.set(segment, ages);
    const known = ages.get(hours);
    if (known !== undefined) return known;
    ages.set(hours, this.terms);
    return this.terms++;
  }

  #listTerm(id: string): number {
    const term = this.#listTerms.get(id);
    if (term === undefined) throw new Error(`snapshot: there is no list ${id}`);
    return term;
  }

  #addList({ id, kind, entries }: LiveList): void {
    const term = this.terms++;
    this.#listTerms.set(id, term);
    this.asks.lists = true;
    const textKind = LISTED[kind];
    const fold = kind === 'domain' || kind === 'bundle';
    for (const line of entries.split('\n')) {
      const entry = fold ? line.trim().toLowerCase() : line.trim();
      if (entry === '') continue;
      const number = this.texts.add(textKind, entry, this.#entries);
      if (number === this.#entries) this.#entries++;
      this.#listedEntries.push(number);
      this.#listedTerms.push(term);
    }
  }

  lateSections() {
    this.#lateStarts.push(this.#lateBytes.length);
    return { lateStart: this.#lateStarts.view(), lateBytes: this.#lateBytes.parts() };
  }

  get lateTerms(): number {
    return this.#late.size;
  }

  listSections() {
    const keys = this.#listedEntries.view();
    const listedStart = startsOf(keys, this.#entries);
    return { listedStart, listed: groupBy(keys, this.#listedTerms.view(), listedStart) };
  }

  segmentSections() {
    const segmentSlots = new Uint32Array(2 * slotsFor(this.#segments.size));
    const mask = segmentSlots.length / 2 - 1;
    const starts = new NumberList();
    const hours = new NumberList();
    const terms = new NumberList();
    for (const [segment, ages] of this.#segments) {
      let slot = mixed(segment) & mask;
      while (segmentSlots[slot * 2 + 1] !== 0) slot = (slot + 1) & mask;
      segmentSlots[slot * 2] = segment;
      segmentSlots[slot * 2 + 1] = starts.length + 1;
      starts.push(hours.length);
      for (const [age, term] of ages) {
        hours.push(age);
        terms.push(term);
      }
    }
    starts.push(hours.length);
    return { segmentSlots, segmentStart: starts.view(), segmentHours: hours.view(), segmentTerms: terms.view() };
  }
}

const LISTED = {
  domain: TEXT.domainEntry,
  bundle: TEXT.bundleEntry,
  site: TEXT.siteEntry,
  app: TEXT.appEntry,
  publisher: TEXT.publisherEntry,
} as const satisfies Record<LiveList['kind'], number>;

export const VALUE_PARTS = {
  exchange: 'exchanges',
  inventory: 'inventory',
  deviceType: 'deviceTypes',
  os: 'os',
  connectionType: 'connectionTypes',
  language: 'languages',
} as const satisfies Record<DimensionName, Part>;

const TEXT_PARTS = {
  make: 'makes',
  model: 'models',
  browser: 'browsers',
  carrier: 'carriers',
  geo: 'geo',
  category: 'content',
  contentLanguage: 'content',
  userData: 'userData',
  eid: 'eids',
  deal: 'deals',
  lists: 'lists',
} as const satisfies Record<AskedKind, Part>;

/** Which parts of a place's name are given: 1 region, 2 city, 4 zip. */
export function patternOf({ region, city, zip }: GeoName): number {
  return (region === null ? 0 : 1) | (city === null ? 0 : 2) | (zip === null ? 0 : 4);
}

export function geoText({ country, region, city, zip }: GeoName): string {
  return `${country}|${region ?? ''}|${city ?? ''}|${zip ?? ''}`;
}
