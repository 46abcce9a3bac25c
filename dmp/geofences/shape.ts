import { Type } from 'typebox';
import { MAX_RADIUS } from '../../proto/fence.ts';

/** Radius in metres. */
export const Radius = Type.Number({ exclusiveMinimum: 0, maximum: MAX_RADIUS });

export type Ring = readonly (readonly [lon: number, lat: number])[];

/** GeoJSON rings of [lon, lat]: first the outer, then holes. */
export const Rings = Type.Unsafe<readonly Ring[]>(
  Type.Array(Type.Array(Type.Array(Type.Number(), { minItems: 2, maxItems: 2 }), { maxItems: 1_001 }), {
    minItems: 1,
    maxItems: 50,
  }),
);

export const Polygon = Type.Object({ type: Type.Literal('polygon'), rings: Rings }, { additionalProperties: false });
