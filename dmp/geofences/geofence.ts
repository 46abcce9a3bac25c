import { type Static, Type } from 'typebox';
import { Id, Name, variants } from '../http/schema.ts';
import { Polygon, Radius } from './shape.ts';

const Circle = Type.Object(
  { type: Type.Literal('circle'), lat: Type.Number(), lon: Type.Number(), radius: Radius },
  { additionalProperties: false },
);

/** A named place that is no store: a rival's shop, a stadium, a quarter. */
export const Geofence = Type.Object(
  {
    advertiser: Id('its advertiser'),
    name: Name,
    fence: variants('type', [Circle, Polygon]),
    rival: Type.Optional(Type.Boolean({ description: 'a shop of a rival: rules name all of them by `rivals`' })),
  },
  { additionalProperties: false },
);
export type Geofence = Static<typeof Geofence>;
