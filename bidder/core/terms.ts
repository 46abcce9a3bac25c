import type { NoBidReason } from '../../proto/no-bid.ts';
import type { GeoName, LiveLineItem, LiveList, SegmentLiteral, Targeting } from '../../proto/snapshot.ts';
import { FLAGS, LATE, NONE_OF, type Part, PERSONAL, partNumber } from './clauses.ts';
import { DictionaryBuilder, TEXT } from './dictionary.ts';
import type { LateTerm } from './late.ts';
import { LateTerms } from './late-terms.ts';
import { NumberList } from './layout.ts';
import { ListTerms } from './list-terms.ts';
import { type AskedKind, DIMENSIONS, type DimensionName } from './meta.ts';
import { TEXT_PARTS, VALUE_PARTS } from './named-parts.ts';
import { numberOf } from './reason.ts';
import { SegmentTerms } from './segment-terms.ts';

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
  readonly #segments = new SegmentTerms();
  readonly #lists: ListTerms;
  readonly #late = new LateTerms();
  #item = 0;
  #access: Access = { share: Number.POSITIVE_INFINITY, literals: [] };

  constructor(lists: readonly LiveList[]) {
    this.#lists = new ListTerms(this.texts);
    for (const list of lists) this.#lists.add(list, this.terms++);
    if (lists.length > 0) this.asks.lists = true;
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
          include.map((id) => this.#lists.termOf(id) * 2),
          SHARES.list,
        );
      if (exclude.length > 0)
        this.#addClause(
          'inventory',
          'lists',
          NONE_OF,
          exclude.map((id) => this.#lists.termOf(id) * 2),
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
    const number = this.#late.numberOf(term);
    this.#addClause(reason, part, 0, [(LATE | (number * 2)) >>> 0]);
  }

  #textTerm(kind: number, text: string): number {
    const term = this.texts.add(kind, text, this.terms);
    if (term === this.terms) this.terms++;
    return term;
  }

  #segmentTerm(segment: number, withinHours: number | null): number {
    const term = this.#segments.add(segment, withinHours, this.terms);
    if (term === this.terms) this.terms++;
    return term;
  }

  get lateTerms(): number {
    return this.#late.size;
  }

  lateSections() {
    return this.#late.sections();
  }

  listSections() {
    return this.#lists.sections();
  }

  segmentSections() {
    return this.#segments.sections();
  }
}

/** Which parts of a place's name are given: 1 region, 2 city, 4 zip. */
function patternOf({ region, city, zip }: GeoName): number {
  return (region === null ? 0 : 1) | (city === null ? 0 : 2) | (zip === null ? 0 : 4);
}

function geoText({ country, region, city, zip }: GeoName): string {
  return `${country}|${region ?? ''}|${city ?? ''}|${zip ?? ''}`;
}
