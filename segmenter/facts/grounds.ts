import { cellToParent } from 'h3-js';
import type { Place } from '../../dmp/visits/places.ts';
import { cellOf, cellToUInt64, fenceCentre } from '../../proto/fence.ts';

/** What facts take from places: the hour there, and where on the map it is. */
export interface Grounds {
  /** `kind:id` → zone and cell in short. */
  readonly digests: ReadonlyMap<string, string>;
  /** The hour, and the day of the week, of a time at a store. Pieces of SQL over the columns. */
  hour(time: string, store: string): string;
  weekday(time: string, store: string): string;
  /** H3 at resolution 9 of a place, given `kind:id`; 0 where it is gone. */
  cell(place: string): string;
  readonly params: Readonly<Record<string, unknown>>;
}

const RESOLUTION = 9;

export function groundsOf(places: readonly Place[]): Grounds {
  const zones = new Map<string, string[]>();
  const cells = new Map<string, string>();
  const digests = new Map<string, string>();
  for (const { kind, id, timeZone, fence } of places) {
    const { lat, lon } = fenceCentre(fence);
    const cell = cellToUInt64(cellToParent(cellOf(lat, lon), RESOLUTION));
    cells.set(`${kind}:${id}`, cell);
    digests.set(`${kind}:${id}`, `${timeZone} ${cell}`);
    if (kind !== 'store' || timeZone === 'UTC') continue;
    const stores = zones.get(timeZone);
    if (stores === undefined) zones.set(timeZone, [id]);
    else stores.push(id);
  }
  const named = [...zones];
  const local = (of: (zone: string) => string, store: string): string => {
    const cases = named.map((_, n) => `${store} IN {zoned${n}:Array(String)}, ${of(`{zone${n}:String}`)}`);
    return cases.length === 0 ? of("'UTC'") : `multiIf(${cases.join(', ')}, ${of("'UTC'")})`;
  };
  return {
    digests,
    hour: (time, store) => local((zone) => `toHour(${time}, ${zone})`, store),
    weekday: (time, store) => local((zone) => `toDayOfWeek(${time}, 0, ${zone})`, store),
    cell: (place) => `transform(${place}, {places:Array(String)}, {cells:Array(UInt64)}, toUInt64(0))`,
    params: {
      places: [...cells.keys(), ''],
      cells: [...[...cells.values()].map(BigInt), 0n],
      ...Object.fromEntries(named.flatMap(([zone, stores], n) => [[`zone${n}`, zone] as const, [`zoned${n}`, stores] as const])),
    },
  };
}
