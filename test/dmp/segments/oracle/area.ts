import { cellToLatLng, cellToParent, latLngToCell } from 'h3-js';
import type { Area, Near } from '../../../../dmp/segments/nodes/near.ts';
import { contains, distance, type Fence } from '../../../../proto/fence.ts';
import { type Fact, FENCES, maybe, pick, type Random, RIVAL, STORES, some, type World } from '../../segments-world.ts';
import type { Oracle } from './leaf.ts';

const randomArea = (random: Random): Area => ({
  ...maybe(random, 0.5, { stores: some(random, STORES) }),
  ...maybe(random, 0.2, { storeGroups: some(random, ['sg_1', 'sg_2', 'sg_none']) }),
  ...maybe(random, 0.4, { geofences: some(random, FENCES) }),
  ...maybe(random, 0.15, { rivals: true }),
  ...maybe(random, 0.8, { metres: pick(random, [0, 300, 1_000, 3_000, 9_000, 21_000]) }),
});

/** Fences and cells are few, and a walk around a fence takes long. */
const answers = new Map<string, boolean>();

/** The middle of the fact's cell against the fence of each place. */
function isInArea({ cell }: Fact, { stores, storeGroups, geofences, rivals, metres = 500 }: Area, world: World): boolean {
  const isAny = stores === undefined && storeGroups === undefined && geofences === undefined && rivals !== true;
  const ids = isAny
    ? STORES
    : [
        ...(stores ?? []),
        ...(storeGroups ?? []).flatMap((group) => world.groups[group] ?? []),
        ...(geofences ?? []),
        ...(rivals === true ? [RIVAL] : []),
      ];
  return ids.some((id) => {
    const fence = world.fences[id];
    if (fence === undefined || cell === '0') return false;
    const key = `${id} ${cell} ${metres}`;
    const known = answers.get(key) ?? isNear(BigInt(cell).toString(16), fence, metres);
    answers.set(key, known);
    return known;
  });
}

function isNear(cell: string, fence: Fence, metres: number): boolean {
  const { middle, size } = measuresOf(fence);
  const reach = size + metres;
  const resolution = reach <= 8_000 ? 9 : reach <= 20_000 ? 8 : 7;
  const looked = cellToParent(cell, resolution);
  if (looked === latLngToCell(middle.lat, middle.lon, resolution)) return true;
  const [lat, lon] = cellToLatLng(looked);
  if (contains(fence, lat, lon)) return true;
  if (fence.type === 'circle') return distance(fence.lat, fence.lon, lat, lon) <= fence.radius + metres;
  // Points along the rim, a metre or so apart.
  const ring = fence.rings[0] ?? [];
  return ring.slice(1).some(([x, y], n) => {
    const [fromX, fromY] = ring[n] as readonly [number, number];
    return Array.from({ length: 5_001 }, (_, k) => k / 5_000).some(
      (part) => distance(fromY + (y - fromY) * part, fromX + (x - fromX) * part, lat, lon) <= metres,
    );
  });
}

function measuresOf(fence: Fence): { middle: { lat: number; lon: number }; size: number } {
  if (fence.type === 'circle') return { middle: fence, size: fence.radius };
  const corners = (fence.rings[0] ?? []).slice(1);
  const mean = (of: 0 | 1): number => corners.reduce((sum, corner) => sum + corner[of], 0) / corners.length;
  const middle = { lat: mean(1), lon: mean(0) };
  return { middle, size: Math.max(...corners.map(([lon, lat]) => distance(middle.lat, middle.lon, lat, lon))) };
}

export const near: Oracle<Near> = {
  random: (random) => ({ ...randomArea(random), ...maybe(random, 0.9, { hours: pick(random, [1, 24, 72, 150, 240]) }) }),
  holds: (body, { facts, world }) =>
    facts.some(
      (fact) =>
        fact.kind === 'position' &&
        fact.at <= world.now &&
        fact.at > world.now - (body.hours ?? 1) * 3_600_000 &&
        isInArea(fact, body, world),
    ),
};

const livesOrWorks = (kind: 'home' | 'work'): Oracle<Area> => ({
  random: randomArea,
  holds: (body, { facts, world }) => facts.some((fact) => fact.kind === kind && isInArea(fact, body, world)),
});
export const home = livesOrWorks('home');
export const work = livesOrWorks('work');
