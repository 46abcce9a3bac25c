import { expect, test } from 'vitest';
import { type Point, staysOf } from '../../../dmp/visits/stay.ts';

const LAT = 55.75;
const LON = 37.61;
const MINUTE = 60_000;
const METRE = 1 / 111_195.08;

/** Points by minute and metres to the north of the origin. */
const points = (...places: readonly (readonly [minute: number, metres: number])[]): Point[] =>
  places.map(([minute, metres]) => ({ at: minute * MINUTE, lat: LAT + metres * METRE, lon: LON, error: 10 }));

const spans = (...places: readonly (readonly [number, number])[]): (readonly [number, number, number])[] =>
  staysOf(points(...places)).map((stay) => [stay.start / MINUTE, stay.end / MINUTE, stay.points]);

test('nothing and a single point are no stay', () => {
  expect(spans()).toEqual([]);
  expect(spans([0, 0])).toEqual([]);
});

test('three minutes within 75 metres are a stay, less are none', () => {
  expect(spans([0, 0], [3, 74])).toEqual([[0, 3, 2]]);
  expect(spans([0, 0], [2.9, 74])).toEqual([]);
  expect(spans([0, 0], [3, 76])).toEqual([[0, 3, 1]]);
});

test('a stay ends when the device is first seen outside, at most half a gap after it was last seen inside', () => {
  expect(spans([0, 0], [4, 10], [6, 500])).toEqual([[0, 6, 2]]);
  expect(spans([0, 0], [4, 10], [16, 500])).toEqual([[0, 11.5, 2]]);
});

test('a silence of more than a quarter of an hour closes the stay at the last point before it', () => {
  expect(spans([0, 0], [5, 0], [21, 0], [26, 0])).toEqual([
    [0, 5, 2],
    [21, 26, 2],
  ]);
  expect(spans([0, 0], [5, 0], [20, 0], [26, 0])).toEqual([[0, 26, 4]]);
  expect(spans([0, 0], [20, 0])).toEqual([]);
});

test('distance is from the first point of the stay, so slow drift ends it', () => {
  expect(spans([0, 0], [2, 40], [4, 80], [6, 120], [8, 160])).toEqual([
    [0, 4, 2],
    [4, 8, 2],
  ]);
});

test('a single point on a fast way is somebody passing', () => {
  expect(spans([0, 0], [4, 8_000], [8, 16_000])).toEqual([]);
  expect(spans([0, 0], [4, 1_000], [8, 2_000])).toEqual([
    [0, 4, 1],
    [4, 8, 1],
  ]);
});

test('a fix that is repeated does not pull the centre', () => {
  const [stay] = staysOf(points([0, 0], [1, 60], [2, 60], [3, 60], [4, 60]));
  expect(((stay?.lat ?? 0) - LAT) / METRE).toBeCloseTo(30, 3);
});

test('the centre of a stay at the 180th meridian lies there', () => {
  const [stay] = staysOf([
    { at: 0, lat: -16.5, lon: 179.9999, error: 5 },
    { at: 4 * MINUTE, lat: -16.5, lon: -179.9999, error: 15 },
  ]);
  expect(Math.abs(stay?.lon ?? 0)).toBeCloseTo(180, 6);
  expect(stay?.error).toBe(10);
});
