import type { DmpDeps } from '../deps.ts';
import { maySee, type Principal } from '../keys/auth.ts';
import { mayUse } from '../sources/access.ts';

/** What of people a key may see. Null: everything. */
export interface Sight {
  readonly advertiser: string | null;
  readonly sources: readonly string[] | null;
  readonly segments: readonly string[];
  /** Stores and geofences. */
  readonly places: readonly string[] | null;
}

/**
 * A key that is bound to an advertiser sees the rows of sources that the advertiser may make profiles of, visits to its own places,
 * its own bids, and what was said to it or to all.
 */
export function sightOf({ things }: Pick<DmpDeps, 'things'>, principal: Principal): Sight {
  const { advertiser } = principal;
  const segments = things.list('segment').filter(({ body }) => maySee(principal, body.advertiser));
  if (advertiser === null) return { advertiser, sources: null, segments: segments.map(({ id }) => id), places: null };
  const sources = things.list('source').filter(({ body }) => mayUse(body, advertiser, 'profiles'));
  const places = [...things.list('store'), ...things.list('geofence')].filter(({ body }) => body.advertiser === advertiser);
  const ids = (list: readonly { readonly id: string }[]) => list.map(({ id }) => id);
  return { advertiser, sources: ids(sources), segments: ids(segments), places: ids(places) };
}

/** Parts of SQL; bound by `sightParams`. */
export const SEEN = {
  source: (sight: Sight): string => (sight.sources === null ? '1' : 'source IN {sources:Array(String)}'),
  visit: (sight: Sight): string =>
    sight.sources === null
      ? 'cancelled = 0'
      : 'cancelled = 0 AND place IN {places:Array(String)} AND notEmpty(sources) AND hasAll({sources:Array(String)}, sources)',
  bid: (sight: Sight): string => (sight.advertiser === null ? '1' : 'advertiser = {advertiser:String}'),
  word: (sight: Sight): string => (sight.advertiser === null ? '1' : "advertiser IN ('', {advertiser:String})"),
  segment: (): string => 'segment IN {segments:Array(String)}',
} as const;

export function sightParams({ advertiser, sources, segments, places }: Sight): Record<string, unknown> {
  return { advertiser: advertiser ?? '', sources: sources ?? [], segments, places: places ?? [] };
}
