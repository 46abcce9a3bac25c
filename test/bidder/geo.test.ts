import fc from 'fast-check';
import { cellToBoundary, cellToLatLng, getPentagons, gridDisk } from 'h3-js';
import { describe, expect, it } from 'vitest';
import { findPlaces } from '../../bidder/core/geo.ts';
import { cellAt } from '../../bidder/core/hexagon.ts';
import { buildIndex, type Index } from '../../bidder/core/index.ts';
import { NumberList } from '../../bidder/core/layout.ts';
import { cellOf, contains, type Fence, splitCell } from '../../proto/fence.ts';
import { geofence, lineItem, snapshot } from './support/live.ts';

/** Fences of 20 m to 8 km around a town, and points among them. */
const TOWN = { lat: 55.75, lon: 37.61 };
const latitude = fc.double({ min: TOWN.lat - 0.06, max: TOWN.lat + 0.06, noNaN: true });
const longitude = fc.double({ min: TOWN.lon - 0.1, max: TOWN.lon + 0.1, noNaN: true });
const circle = fc.record({
  type: fc.constant('circle' as const),
  lat: latitude,
  lon: longitude,
  radius: fc.double({ min: 20, max: 8_000, noNaN: true }),
});

/** A star around a centre never crosses itself. */
const polygon = fc
  .tuple(latitude, longitude, fc.array(fc.double({ min: 0.0005, max: 0.02, noNaN: true }), { minLength: 3, maxLength: 9 }))
  .map(([lat, lon, reaches]): Fence => {
    const ring = reaches.map((reach, corner): [number, number] => {
      const angle = (2 * Math.PI * corner) / reaches.length;
      return [lon + reach * Math.cos(angle) * 1.7, lat + reach * Math.sin(angle)];
    });
    return { type: 'polygon', rings: [[...ring, ring[0] as [number, number]]] };
  });

describe('the geo index', () => {
  it('finds exactly the fences that a slow scan finds', () => {
    const fences = fc.array(fc.oneof(circle, polygon), { minLength: 1, maxLength: 4 });
    const points = fc.array(fc.tuple(latitude, longitude), { minLength: 50, maxLength: 50 });
    fc.assert(
      fc.property(fences, points, (given, where) => {
        const index = indexOf(given);
        for (const [lat, lon] of [...where, ...edgePoints(given)]) {
          const expected = given.flatMap((fence, id) => (contains(fence, lat, lon) ? [`${id}`] : []));
          expect(fencesAt(index, lat, lon).sort()).toEqual(expected);
        }
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  it('finds nothing where nothing is', () => {
    const index = indexOf([]);
    expect(fencesAt(index, 55, 37)).toEqual([]);
  });
});

/** The other computation gives a mutable one. */
const ours = (lat: number, lon: number) => ({ ...cellAt(lat, lon) });
const theirs = (lat: number, lon: number) => splitCell(cellOf(lat, lon));

describe('the cell of a point is that of H3', () => {
  it('anywhere on the globe', () => {
    const place = fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.double({ min: -180, max: 180, noNaN: true }));
    fc.assert(
      fc.property(place, ([sine, lon]) => {
        const lat = (Math.asin(sine) * 180) / Math.PI;
        expect(ours(lat, lon)).toEqual(theirs(lat, lon));
      }),
      { numRuns: 20_000, seed: 5 },
    );
  });

  it('on the rims and corners of cells, in their centres, and a hair beside', () => {
    const around = [
      [55.75, 37.61],
      [-33.9, 151.2],
      [40.7, -74],
      [66.5, 179.9999],
    ] as const;
    for (const [lat, lon] of around)
      for (const cell of gridDisk(cellOf(lat, lon), 6))
        for (const [cornerLat, cornerLon] of [...cellToBoundary(cell), cellToLatLng(cell)])
          for (const off of [0, 1e-12, -1e-9, 1e-7])
            expect(ours(cornerLat + off, cornerLon - off)).toEqual(theirs(cornerLat + off, cornerLon - off));
  });

  it('at the poles, at the antimeridian, and under pentagons', () => {
    const places: [number, number][] = [
      [90, 0],
      [-90, 12],
      [89.9999, 179.9999],
      [0, 180],
      [0, -180],
      [0, 0],
      [-12.3, -179.99999],
    ];
    for (const pentagon of getPentagons(1)) {
      const [lat, lon] = cellToLatLng(pentagon);
      for (let step = 0; step < 40; step++) places.push([lat + Math.sin(step) * step * 0.05, lon + Math.cos(step) * step * 0.05]);
    }
    for (const [lat, lon] of places) expect(ours(lat, lon)).toEqual(theirs(lat, lon));
  });
});

/** Each fence with a line item of its own, so that a place tells which it is. */
function indexOf(fences: readonly Fence[]): Index {
  const geofences = fences.map((fence, id) => geofence(`${id}`, fence));
  const lineItems = geofences.map(({ id }) => lineItem(id, { targeting: { geofences: [id] } }));
  return buildIndex(snapshot({ geofences, lineItems }));
}

function fencesAt(index: Index, lat: number, lon: number): string[] {
  const { sections, meta } = index;
  const found = new NumberList();
  findPlaces(sections, meta.resolutions, lat, lon, found);
  return Array.from(found.view(), (place) => index.idAt(sections.placeItems[sections.placeItemStart[place] as number] as number));
}

/** Points just inside and just outside of each edge, where covers err. */
function edgePoints(fences: readonly Fence[]): [number, number][] {
  return fences.flatMap((fence) => {
    if (fence.type === 'polygon') {
      return (fence.rings[0] ?? []).flatMap(([lon, lat]): [number, number][] => [
        [lat + 1e-6, lon],
        [lat - 1e-6, lon],
      ]);
    }
    const metresPerDegree = 111_195;
    return [0.999, 1.001].flatMap((share): [number, number][] =>
      Array.from({ length: 8 }, (_, corner) => {
        const angle = (2 * Math.PI * corner) / 8;
        const reach = (fence.radius * share) / metresPerDegree;
        return [
          fence.lat + reach * Math.sin(angle),
          fence.lon + (reach * Math.cos(angle)) / Math.cos((fence.lat * Math.PI) / 180),
        ];
      }),
    );
  });
}
