import fc from 'fast-check';
import { isValidCell } from 'h3-js';
import { expect, it } from 'vitest';
import { fewCellsOf } from '../../proto/cover.ts';
import { type Cover, cellOf, cellProbes, contains, coverOf, type Fence } from '../../proto/fence.ts';

/** What a reader of a cover does: probe the point's cell and its parents. */
function finds(cover: Cover, fence: Fence, lat: number, lon: number): boolean {
  const probes = new Set(cellProbes(cellOf(lat, lon)));
  if (cover.inner.some((cell) => probes.has(cell))) return true;
  return cover.boundary.some((cell) => probes.has(cell)) && contains(fence, lat, lon);
}

const place = { lat: fc.double({ min: -80, max: 80, noNaN: true }), lon: fc.double({ min: -179, max: 179, noNaN: true }) };

it('a cover of few cells finds what the fine one does, in circles of any size', () => {
  fc.assert(
    fc.property(
      fc.record({ ...place, radius: fc.constantFrom(30, 75, 300, 900, 2_500, 8_000, 20_000) }),
      fc.array(fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.double({ min: -1, max: 1, noNaN: true })), {
        minLength: 20,
        maxLength: 20,
      }),
      ({ lat, lon, radius }, points) => {
        const fence: Fence = { type: 'circle', lat, lon, radius };
        const [fine, few] = [coverOf(fence), fewCellsOf(fence)];
        const cells = [...few.inner, ...few.boundary];
        expect(cells.filter((cell) => !isValidCell(cell))).toEqual([]);
        expect(new Set(cells).size).toBe(cells.length);
        expect(cells.length).toBeLessThanOrEqual(fine.inner.length + fine.boundary.length);
        for (const [x, y] of points) {
          const [atLat, atLon] = [
            lat + (1.2 * y * radius) / 111_195,
            lon + (1.2 * x * radius) / (111_195 * Math.cos((lat * Math.PI) / 180)),
          ];
          expect(finds(few, fence, atLat, atLon)).toBe(contains(fence, atLat, atLon));
        }
      },
    ),
    { numRuns: 20 },
  );
});

it('circles of shops have eight cells at most, and polygons 48', () => {
  const circle: Fence = { type: 'circle', lat: 55.79, lon: 49.12, radius: 300 };
  expect(coverOf(circle).inner.length + coverOf(circle).boundary.length).toBeGreaterThan(40);
  const few = fewCellsOf(circle);
  expect(few.inner.length + few.boundary.length).toBeLessThanOrEqual(8);
  const ring: [number, number][] = Array.from({ length: 40 }, (_, at) => {
    const turn = (Math.PI * 2 * at) / 39;
    return [49.12 + 0.03 * Math.cos(turn), 55.79 + 0.01 * Math.sin(turn)];
  });
  const polygon = fewCellsOf({ type: 'polygon', rings: [[...ring.slice(0, -1), ring[0] as [number, number]]] });
  expect(polygon.inner.length + polygon.boundary.length).toBeLessThanOrEqual(48);
  expect(polygon.inner.length + polygon.boundary.length).toBeGreaterThan(8);
});
