import fc from 'fast-check';
import { getResolution } from 'h3-js';
import { expect, test } from 'vitest';
import {
  COARSEST_RESOLUTION,
  type Cover,
  cellOf,
  cellProbes,
  cellToUInt64,
  contains,
  coverOf,
  distance,
  type Fence,
  fenceRadius,
} from '../../proto/fence.ts';

const RADIANS = Math.PI / 180;
const places = fc.record({
  lat: fc.double({ min: -70, max: 70, noNaN: true }),
  lon: fc.double({ min: -179, max: 179, noNaN: true }),
});

function destination(lat: number, lon: number, bearing: number, metres: number): [number, number] {
  const angular = metres / 6_371_008.8;
  const sin = Math.sin(lat * RADIANS) * Math.cos(angular) + Math.cos(lat * RADIANS) * Math.sin(angular) * Math.cos(bearing);
  const y = Math.sin(bearing) * Math.sin(angular) * Math.cos(lat * RADIANS);
  const x = Math.cos(angular) - Math.sin(lat * RADIANS) * sin;
  const east = lon + Math.atan2(y, x) / RADIANS;
  return [Math.asin(sin) / RADIANS, ((east + 540) % 360) - 180];
}

/** What a reader of a cover does: probe the point's cell and its parents. */
function lookUp(cover: Cover, lat: number, lon: number): 'inner' | 'boundary' | 'none' {
  const probes = new Set(cellProbes(cellOf(lat, lon)));
  if (cover.inner.some((cell) => probes.has(cell))) return 'inner';
  return cover.boundary.some((cell) => probes.has(cell)) ? 'boundary' : 'none';
}

function agrees(fence: Fence, cover: Cover, lat: number, lon: number): void {
  const found = lookUp(cover, lat, lon);
  if (contains(fence, lat, lon)) expect(found).not.toBe('none');
  else expect(found).not.toBe('inner');
}

test('a circle is found by its cover exactly where it contains the point, at every size', () => {
  fc.assert(
    fc.property(
      places,
      fc.constantFrom(20, 75, 150, 300, 900, 1_500, 4_000, 12_000),
      fc.array(
        fc.record({ turn: fc.double({ min: 0, max: 6.28, noNaN: true }), share: fc.double({ min: 0, max: 1.4, noNaN: true }) }),
        {
          minLength: 40,
          maxLength: 40,
        },
      ),
      ({ lat, lon }, radius, points) => {
        const fence: Fence = { type: 'circle', lat, lon, radius };
        const cover = coverOf(fence);
        for (const { turn, share } of points) agrees(fence, cover, ...destination(lat, lon, turn, radius * share));
      },
    ),
    { numRuns: 150 },
  );
}, 60_000);

test('points within millimetres of the rim agree with the exact test', () => {
  fc.assert(
    fc.property(
      places,
      fc.constantFrom(50, 300, 2_500),
      fc.double({ min: 0, max: 6.28, noNaN: true }),
      ({ lat, lon }, radius, turn) => {
        const fence: Fence = { type: 'circle', lat, lon, radius };
        const cover = coverOf(fence);
        for (const metres of [radius - 0.01, radius - 0.001, radius + 0.001, radius + 0.01])
          agrees(fence, cover, ...destination(lat, lon, turn, metres));
      },
    ),
    { numRuns: 200 },
  );
}, 60_000);

test('a polygon with a hole is found by its cover exactly where it contains the point', () => {
  fc.assert(
    fc.property(
      places,
      fc.constantFrom(0.001, 0.01, 0.05),
      fc.array(fc.tuple(fc.double({ min: -1.3, max: 1.3, noNaN: true }), fc.double({ min: -1.3, max: 1.3, noNaN: true })), {
        minLength: 30,
        maxLength: 30,
      }),
      ({ lat, lon }, size, points) => {
        const square = (half: number): [number, number][] => [
          [lon - half, lat - half],
          [lon + half, lat - half * 0.7],
          [lon + half * 0.8, lat + half],
          [lon - half, lat + half],
          [lon - half, lat - half],
        ];
        const fence: Fence = { type: 'polygon', rings: [square(size), square(size * 0.4)] };
        const cover = coverOf(fence);
        for (const [x, y] of points) agrees(fence, cover, lat + y * size, lon + x * size);
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);

test('most of a cover needs no exact test, and no cell is coarser than the probes reach', () => {
  const cover = coverOf({ type: 'circle', lat: 55.75, lon: 37.62, radius: 5_000 });
  expect(Math.min(...[...cover.inner, ...cover.boundary].map(getResolution))).toBeGreaterThanOrEqual(COARSEST_RESOLUTION);
  const small = coverOf({ type: 'circle', lat: 55.75, lon: 37.62, radius: 300 });
  expect(small.inner.length).toBeGreaterThan(0);
  expect(small.inner.length + small.boundary.length).toBeLessThan(200);
});

test('a fence smaller than a cell still has a cover', () => {
  const cover = coverOf({ type: 'circle', lat: 55.75, lon: 37.62, radius: 5 });
  expect(cover.inner.length + cover.boundary.length).toBeGreaterThan(0);
});

test('cells are those of the H3 library, and keep their digits as integers', () => {
  expect(cellProbes(cellOf(55.71290588, 37.79506683)).at(2)).toBe('8911aa6a38bffff');
  expect(cellToUInt64('8f11aa6a38826f6')).toBe('644325524701193974');
});

test('distances and radii are in metres', () => {
  expect(distance(55.75, 37.62, 55.75, 37.62)).toBe(0);
  expect(distance(0, 0, 0, 1)).toBeCloseTo(111_195, -1);
  const side = 0.009;
  const square: Fence = {
    type: 'polygon',
    rings: [
      [
        [0, 0],
        [side, 0],
        [side, side],
        [0, side],
        [0, 0],
      ],
    ],
  };
  expect(fenceRadius(square)).toBeCloseTo(Math.sqrt((1000.75 * 1000.75) / Math.PI), -1);
});
