import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { shapeFaults } from '../events/faults.ts';
import type { ProductRow } from '../events/rows.ts';
import type { Fault } from '../problem.ts';

const Word = Type.Optional(Type.String({ maxLength: 512 }));

/** An entry of a source's catalogue; it is known by source and product, the newest counts. */
export const Product = Type.Object(
  {
    product: Type.String({ minLength: 1, maxLength: 512 }),
    name: Type.Optional(Type.String({ maxLength: 1024 })),
    category: Word,
    department: Word,
    brand: Word,
  },
  { additionalProperties: false },
);
export type Product = Static<typeof Product>;

const check = Compile(Product);

/** Adds the product's row, or returns its faults. */
export function acceptProduct(raw: unknown, source: string, rows: ProductRow[]): Fault[] | null {
  if (!check.Check(raw)) return shapeFaults(check.Errors(raw));
  const row = {
    source,
    product: raw.product,
    name: raw.name ?? '',
    category: raw.category ?? '',
    department: raw.department ?? '',
    brand: raw.brand ?? '',
    deleted: 0 as const,
  };
  const broken = Object.entries(row).filter(([, text]) => typeof text === 'string' && /\p{Surrogate}/u.test(text));
  if (broken.length > 0)
    return broken.map(([name]) => ({ pointer: `/${name}`, code: 'bad_encoding', message: 'has half a surrogate pair' }));
  rows.push(row);
  return null;
}
