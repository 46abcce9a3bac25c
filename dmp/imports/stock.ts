import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { shapeFaults } from '../events/faults.ts';
import type { StockRow } from '../events/rows.ts';
import { AHEAD_MS, EARLIEST, parseRfc3339 } from '../events/time.ts';
import type { Fault } from '../problem.ts';

const MAX_MICROS = 9_000_000_000_000_000;

/** What a store has of a product; it is known by source, store and product, the newest counts. */
export const Stock = Type.Object(
  {
    store: Type.String({ minLength: 1, maxLength: 512 }),
    product: Type.String({ minLength: 1, maxLength: 512 }),
    at: Type.Unsafe<string | number>({ type: ['string', 'integer'], maxLength: 64 }),
    quantity: Type.Number({ minimum: -1e12, maximum: 1e12 }),
    price: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_MICROS })),
    currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$' })),
  },
  { additionalProperties: false },
);
export type Stock = Static<typeof Stock>;

const check = Compile(Stock);

/** Adds the row, or returns its faults. */
export function acceptStock(
  raw: unknown,
  terms: { source: string; currency: string; now: number },
  rows: StockRow[],
): Fault[] | null {
  if (!check.Check(raw)) return shapeFaults(check.Errors(raw));
  const at = typeof raw.at === 'number' ? raw.at : parseRfc3339(raw.at);
  if (at === null || at < EARLIEST || at > terms.now + AHEAD_MS)
    return [{ pointer: '/at', code: 'bad_time', message: 'is not a time from 2000 to a day ahead' }];
  const broken = [raw.store, raw.product].some((text) => /\p{Surrogate}/u.test(text));
  if (broken) return [{ pointer: '', code: 'bad_encoding', message: 'has half a surrogate pair' }];
  rows.push({
    source: terms.source,
    store: raw.store,
    product: raw.product,
    at: new Date(at).toISOString(),
    quantity: raw.quantity.toFixed(3),
    price: raw.price ?? null,
    currency: raw.currency ?? terms.currency,
    deleted: 0,
  });
  return null;
}
