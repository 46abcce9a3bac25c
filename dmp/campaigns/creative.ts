import { type Static, Type } from 'typebox';
import { Id, Name } from '../http/schema.ts';

const Pixels = Type.Integer({ minimum: 1, maximum: 10_000 });

/** An HTML banner. `html` and `landing` may hold Walkin's macros, see proto/macros.ts. */
export const Creative = Type.Object(
  {
    advertiser: Id('its advertiser'),
    name: Name,
    w: Pixels,
    h: Pixels,
    html: Type.String({ minLength: 1, maxLength: 100_000 }),
    landing: Type.String({ minLength: 1, maxLength: 2_000 }),
    iurl: Type.Optional(Type.String({ maxLength: 2_000, format: 'uri' })),
    attributes: Type.Optional(Type.Array(Type.Integer({ minimum: 1, maximum: 500 }), { uniqueItems: true, default: [] })),
    categories: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 50 }), { uniqueItems: true, default: [], description: 'IAB categories' }),
    ),
  },
  { additionalProperties: false },
);
export type Creative = Static<typeof Creative>;
