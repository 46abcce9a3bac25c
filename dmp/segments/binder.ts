/** Collects the parameters of a statement. Text that came from outside is only ever bound, never part of the SQL. */
export class Binder {
  readonly values: Record<string, unknown> = {};
  readonly #places = new Map<string, string>();

  /** Binds a value and returns its place in the SQL; equal values share one. */
  add(type: string, value: unknown): string {
    const key = `${type} ${JSON.stringify(value)}`;
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    const name = `p${this.#places.size}`;
    this.values[name] = value;
    const place = `{${name}:${type}}`;
    this.#places.set(key, place);
    return place;
  }

  texts(values: readonly string[]): string {
    return this.add('Array(String)', values);
  }

  /** @param at epoch ms */
  time(at: number): string {
    const held = Math.max(EARLIEST, Math.min(LATEST, at));
    return this.add("DateTime64(3, 'UTC')", new Date(held).toISOString().slice(0, -1).replace('T', ' '));
  }
}

/** What a DateTime64(3) holds. */
const EARLIEST = Date.UTC(1900, 0, 1);
const LATEST = Date.UTC(2299, 11, 31);
