import { expect, test } from 'vitest';
import { boxOf, fenceDistance, indexPlaces, MAX_REACH, type Place } from '../../../dmp/visits/places.ts';
import { distance, type Fence } from '../../../proto/fence.ts';
import { type Random, seeded } from '../segments-world.ts';

const METRES_PER_DEGREE = 111_195.08;
const place = (id: string, fence: Fence): Place => ({ kind: 'geofence', id, fence, timeZone: 'UTC', hours: null });

function offset(lat: number, lon: number, metres: number, bearing: number): { lat: number; lon: number } {
  return {
    lat: lat + (metres * Math.cos(bearing)) / METRES_PER_DEGREE,
    lon: lon + (metres * Math.sin(bearing)) / (METRES_PER_DEGREE * Math.cos((lat * Math.PI) / 180)),
  };
}

function randomFence(random: Random, lat: number, lon: number): { fence: Fence; size: number } {
  const size = 10 * 10 ** (random() * 3.5);
  if (random() < 0.5) return { fence: { type: 'circle', lat, lon, radius: size }, size };
  const corners = 3 + Math.floor(random() * 6);
  const ring = Array.from({ length: corners }, (_, n) => {
    const corner = offset(lat, lon, size * (0.4 + 0.6 * random()), (2 * Math.PI * n) / corners);
    return [corner.lon, corner.lat] as const;
  });
  return { fence: { type: 'polygon', rings: [[...ring, ring[0] as readonly [number, number]]] }, size };
}

test('every place within reach of a point is among its candidates, whatever its shape and size', () => {
  const random = seeded(21);
  let within = 0;
  for (let n = 0; n < 120; n++) {
    const [lat, lon] = [random() * 130 - 65, random() * 340 - 170];
    const { fence, size } = randomFence(random, lat, lon);
    const index = indexPlaces([place('p', fence)]);
    for (let m = 0; m < 150; m++) {
      const point = offset(lat, lon, size * random() * 1.1 + 60 * random(), random() * 2 * Math.PI);
      if (fenceDistance(fence, point.lat, point.lon) > MAX_REACH) continue;
      within++;
      expect(index.near(point.lat, point.lon), JSON.stringify({ fence, point })).toHaveLength(1);
    }
  }
  expect(within).toBeGreaterThan(5_000);
});

test('the distance to a polygon is that to its nearest edge, 0 inside and past a hole', () => {
  const square = (lat: number, lon: number, half: number): readonly (readonly [number, number])[] => [
    [lon - half, lat - half],
    [lon + half, lat - half],
    [lon + half, lat + half],
    [lon - half, lat + half],
    [lon - half, lat - half],
  ];
  const fence: Fence = { type: 'polygon', rings: [square(0, 10, 0.01), square(0, 10, 0.002)] };
  expect(fenceDistance(fence, 0.005, 10)).toBe(0);
  expect(fenceDistance(fence, 0, 10)).toBeCloseTo(0.002 * METRES_PER_DEGREE, 1);
  expect(fenceDistance(fence, 0.0104, 10)).toBeCloseTo(0.0004 * METRES_PER_DEGREE, 1);
  expect(fenceDistance(fence, 0.0103, 10.0104)).toBeCloseTo(0.0005 * METRES_PER_DEGREE, 1);
});

test('a box holds everything within its margin', () => {
  const random = seeded(22);
  for (let n = 0; n < 300; n++) {
    const [lat, lon] = [random() * 130 - 65, random() * 340 - 170];
    const { fence, size } = randomFence(random, lat, lon);
    const box = boxOf(fence, 150);
    const point = offset(lat, lon, size * random() + 150, random() * 2 * Math.PI);
    if (box === null || fenceDistance(fence, point.lat, point.lon) > 150) continue;
    const isIn = point.lat >= box.south && point.lat <= box.north && point.lon >= box.west && point.lon <= box.east;
    expect(isIn, JSON.stringify({ fence, point, box })).toBe(true);
  }
  expect(boxOf({ type: 'circle', lat: 0, lon: 179.999, radius: 500 }, 150)).toBeNull();
  expect(distance(0, 0, 0, 1)).toBeCloseTo(METRES_PER_DEGREE, 0);
});
