import type { LiveList } from '../../proto/snapshot.ts';
import { type DictionaryBuilder, TEXT } from './dictionary.ts';
import { groupBy, NumberList, startsOf } from './layout.ts';

/** Lists of sites, apps and so on: a term each, to which every one of its entries leads. */
export class ListTerms {
  readonly #texts: DictionaryBuilder;
  readonly #terms = new Map<string, number>();
  /** Pairs of entry and term. */
  readonly #listedEntries = new NumberList();
  readonly #listedTerms = new NumberList();
  #entries = 0;

  constructor(texts: DictionaryBuilder) {
    this.#texts = texts;
  }

  add({ id, kind, entries }: LiveList, term: number): void {
    this.#terms.set(id, term);
    const fold = kind === 'domain' || kind === 'bundle';
    for (const line of entries.split('\n')) {
      const entry = fold ? line.trim().toLowerCase() : line.trim();
      if (entry === '') continue;
      const number = this.#texts.add(KINDS[kind], entry, this.#entries);
      if (number === this.#entries) this.#entries++;
      this.#listedEntries.push(number);
      this.#listedTerms.push(term);
    }
  }

  termOf(id: string): number {
    const term = this.#terms.get(id);
    if (term === undefined) throw new Error(`snapshot: there is no list ${id}`);
    return term;
  }

  sections() {
    const keys = this.#listedEntries.view();
    const listedStart = startsOf(keys, this.#entries);
    return { listedStart, listed: groupBy(keys, this.#listedTerms.view(), listedStart) };
  }
}

const KINDS = {
  domain: TEXT.domainEntry,
  bundle: TEXT.bundleEntry,
  site: TEXT.siteEntry,
  app: TEXT.appEntry,
  publisher: TEXT.publisherEntry,
} as const satisfies Record<LiveList['kind'], number>;
