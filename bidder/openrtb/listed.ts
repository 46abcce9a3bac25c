/** Texts in one form, as a set. */
export interface Listed extends Iterable<string> {
  /** How many were given: 0 where there are none. */
  readonly size: number;
  has(text: string): boolean;
}

const NONE: Listed = Object.freeze(new Set<string>());

export const lower = (text: string): string => text.toLowerCase();
export const upper = (text: string): string => text.toUpperCase();

/** The texts in the form that `form` gives them. They are brought into it when somebody asks: of most requests nobody does. */
export function listed(texts: readonly string[], form: (text: string) => string): Listed {
  return texts.length === 0 ? NONE : new Given(texts, form);
}

/** So many texts are looked through so often, before a set is made of them. */
const FEW = 64;
const MOST_LOOKS = 6;

/** ASCII. */
function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7e) return false;
  return true;
}

/** Without anything at its ends that `trim` would take. */
function isBare(text: string): boolean {
  return isInk(text.charCodeAt(0)) && isInk(text.charCodeAt(text.length - 1));
}

/** Whether a text that is bare could be as another is, in some form, by its first and last letter: upper and lower case of ASCII differ in one bit. */
function endsAs(bare: string, text: string): boolean {
  const last = text.length - 1;
  return (bare.charCodeAt(0) | 32) === (text.charCodeAt(0) | 32) && (bare.charCodeAt(last) | 32) === (text.charCodeAt(last) | 32);
}

function isInk(code: number): boolean {
  return code > 0x20 && code < 0x7f;
}

class Given implements Listed {
  readonly #texts: readonly string[];
  readonly #form: (text: string) => string;
  #set: ReadonlySet<string> | null = null;
  #looks = 0;

  constructor(texts: readonly string[], form: (text: string) => string) {
    this.#texts = texts;
    this.#form = form;
  }

  get size(): number {
    return this.#texts.length;
  }

  has(text: string): boolean {
    if (this.#set === null && this.#looks < MOST_LOOKS && this.#texts.length <= FEW) return this.#isAmong(text);
    return this.#made().has(text);
  }

  /** A set of 25 domains took as long to make as to look through them ten times: one or two line items ask. */
  #isAmong(text: string): boolean {
    this.#looks++;
    const texts = this.#texts;
    // Small letters are never more than those that they are made of, but for one that is no ASCII then.
    const grows = this.#form !== lower || !isPlain(text);
    for (let at = 0; at < texts.length; at++) {
      const given = texts[at] as string;
      // No form is shorter than what is given but for spaces around it.
      if (given.length < text.length && (!grows || isPlain(given))) continue;
      if (given.length > text.length && isBare(given)) continue;
      if (given.length === text.length && isBare(given) && !endsAs(given, text)) continue;
      if (this.#form(given.trim()) === text) return true;
    }
    return false;
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
