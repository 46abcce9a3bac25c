import type { Visits } from '../../../../dmp/segments/nodes/visits.ts';
import { ages, FENCES, int, maybe, places, RIVAL, range, SOURCES, some, times, window } from '../../segments-world.ts';
import { different, inWindow, isAged, isTimed, measured, type Oracle, storesIn } from './leaf.ts';

export const visits: Oracle<Visits> = {
  weight: 2,
  random: (random) => ({
    ...maybe(random, 0.4, { count: range(random, 0, 4) }),
    ...maybe(random, 0.2, { days: range(random, 0, 3) }),
    ...maybe(random, 0.2, { dwell: range(random, 0, 20_000) }),
    ...maybe(random, 0.15, { distinctPlaces: range(random, 0, 3) }),
    ...ages(random),
    ...window(random),
    ...places(random),
    ...maybe(random, 0.25, { geofences: some(random, FENCES) }),
    ...maybe(random, 0.15, { rivals: random() < 0.8 }),
    ...maybe(random, 0.2, { minDwellSeconds: int(random, 0, 9_000) }),
    ...times(random),
    ...maybe(random, 0.1, { sources: some(random, SOURCES) }),
  }),
  holds: (body, { facts, world }) => {
    const stores = storesIn(body, world);
    const anywhere = stores === null && body.geofences === undefined && body.rivals !== true;
    const rows = facts.filter(
      (row) =>
        row.kind === 'visit' &&
        inWindow(row.at, body.window, world.now) &&
        row.dwell >= (body.minDwellSeconds ?? 0) &&
        isTimed(row, body) &&
        (body.sources === undefined || row.sources.some((source) => body.sources?.includes(source))) &&
        (row.name === 'store'
          ? anywhere || (stores?.includes(row.place) ?? false)
          : body.geofences?.includes(row.place) === true || (body.rivals === true && row.place === RIVAL)),
    );
    const longest = new Map<number, number>();
    for (const row of rows) longest.set(row.once, Math.max(longest.get(row.once) ?? 0, row.dwell));
    const isGiven = [body.first, body.last].some((bounds) => bounds !== undefined);
    return (
      isAged(rows, body, world.now) &&
      measured(
        [
          ...(isGiven ? [[0, {}] as const] : []),
          [longest.size, body.count],
          [different(rows.map((row) => row.day)), body.days],
          [[...longest.values()].reduce((sum, dwell) => sum + dwell, 0), body.dwell],
          [different(rows.map((row) => `${row.name} ${row.place}`)), body.distinctPlaces],
        ],
        rows.length,
      )
    );
  },
};
