import { indexPlaces, type Place, type PlaceIndex } from './places.ts';

/** Places whose advertisers may use the same sources: a device's visits there are made of the pings of these only. */
export interface Group {
  readonly index: PlaceIndex;
  readonly withheld: readonly string[];
  /** Whether a visit, by `kind:place`, is the group's to cancel; those to places that are gone are everybody's. */
  isOurs(place: string): boolean;
}

export function groupsOf(places: readonly Place[]): Group[] {
  const all = new Set(places.map(nameOf));
  // Without any place what is left are the visits to those that are gone.
  const parts = places.length === 0 ? [[]] : byWithheld(places);
  return parts.map((members) => {
    const names = new Set(members.map(nameOf));
    return {
      index: indexPlaces(members),
      withheld: members[0]?.withheld ?? [],
      isOurs: (place) => names.has(place) || !all.has(place),
    };
  });
}

export function byWithheld(places: readonly Place[]): Place[][] {
  const parts = new Map<string, Place[]>();
  for (const place of places) {
    const key = (place.withheld ?? []).join('\n');
    const part = parts.get(key);
    if (part === undefined) parts.set(key, [place]);
    else part.push(place);
  }
  return [...parts.values()];
}

export function nameOf({ kind, id }: Pick<Place, 'kind' | 'id'>): string {
  return `${kind}:${id}`;
}
