/** Texts in one form, as a set. */
export interface Listed extends Iterable<string> {
  /** How many were given: 0 where there are none. */
  readonly size: number;
  has(text: string): boolean;
}

const NONE: Listed = Object.freeze(new Set<string>());

/** The texts in the form that `form` gives them. They are brought into it when somebody asks: of most requests nobody does. */
export function listed(texts: readonly string[], form: (text: string) => string): Listed {
  return texts.length === 0 ? NONE : new Given(texts, form);
}

class Given implements Listed {
  readonly #texts: readonly string[];
  readonly #form: (text: string) => string;
  #set: ReadonlySet<string> | null = null;

  constructor(texts: readonly string[], form: (text: string) => string) {
    this.#texts = texts;
    this.#form = form;
  }

  get size(): number {
    return this.#texts.length;
  }

  has(text: string): boolean {
    return this.#made().has(text);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#made()[Symbol.iterator]();
  }

  #made(): ReadonlySet<string> {
    if (this.#set !== null) return this.#set;
    const set = new Set<string>();
    for (const text of this.#texts) set.add(this.#form(text.trim()));
    this.#set = set;
    return set;
  }
}
