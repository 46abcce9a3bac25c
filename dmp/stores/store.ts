import { type Static, Type } from 'typebox';
import type { Fence } from '../../proto/fence.ts';
import { Polygon, Radius } from '../geofences/shape.ts';
import { Id, Name, nullable, variants } from '../http/schema.ts';
import { Hours } from './hours.ts';

export const DEFAULT_RADIUS = 75;

/** A circle around the store itself. */
const Circle = Type.Object({ type: Type.Literal('circle'), radius: Radius }, { additionalProperties: false });

export const Store = Type.Object(
  {
    advertiser: Id('its advertiser'),
    name: Name,
    address: Type.String({ maxLength: 500 }),
    lat: Type.Number(),
    lon: Type.Number(),
    timeZone: Type.String({ maxLength: 64, description: 'IANA zone', examples: ['America/New_York'] }),
    hours: nullable(Hours, { default: null, description: 'Opening hours in the local zone; null: always open' }),
    fence: variants('type', [Circle, Polygon], { default: { type: 'circle', radius: DEFAULT_RADIUS } }),
  },
  { additionalProperties: false },
);
export type Store = Static<typeof Store>;

/** The fence of a store on the map. */
export function storeFence(store: Store): Fence {
  return store.fence.type === 'circle'
    ? { type: 'circle', lat: store.lat, lon: store.lon, radius: store.fence.radius }
    : store.fence;
}
