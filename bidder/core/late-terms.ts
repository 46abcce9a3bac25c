import type { LateTerm } from './late.ts';
import { ByteList, NumberList } from './layout.ts';

/** The terms that are asked when a line item gets there, each once, as JSON. */
export class LateTerms {
  readonly #numbers = new Map<string, number>();
  readonly #bytes = new ByteList();
  readonly #starts = new NumberList();

  get size(): number {
    return this.#numbers.size;
  }

  numberOf(term: LateTerm): number {
    const json = JSON.stringify(term);
    const known = this.#numbers.get(json);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(json, number);
    this.#starts.push(this.#bytes.length);
    this.#bytes.push(Buffer.from(json));
    return number;
  }

  sections() {
    this.#starts.push(this.#bytes.length);
    return { lateStart: this.#starts.view(), lateBytes: this.#bytes.parts() };
  }
}
