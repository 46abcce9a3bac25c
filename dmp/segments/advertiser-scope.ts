import { distance } from '../../proto/fence.ts';
import { RATES_ID } from '../rates/rates.ts';
import { sourcesRecorded, sourcesWithheld } from '../sources/access.ts';
import { storeFence } from '../stores/store.ts';
import type { Things } from '../things/things.ts';
import type { RuleScope } from './scope.ts';

/** The scope of a segment of an advertiser (null: shared): "any store" is any of its own. */
export function scopeOf(things: Things, advertiser: string | null, now: number): RuleScope {
  const withheld = sourcesWithheld(things, advertiser, 'profiles');
  const stores = () => things.list('store').filter(({ body }) => advertiser === null || body.advertiser === advertiser);
  return {
    now,
    storesOf: (group) => things.get('store-group', group)?.body.stores ?? [],
    stores: advertiser === null ? null : stores().map(({ id }) => id),
    storesNear: ({ metres, stores: middles, lat, lon }) => {
      const points = (middles ?? []).flatMap((id) => things.get('store', id)?.body ?? []);
      if (lat !== undefined && lon !== undefined) points.push({ lat, lon } as (typeof points)[number]);
      return stores()
        .filter(({ body }) => points.some((point) => distance(point.lat, point.lon, body.lat, body.lon) <= metres))
        .map(({ id }) => id);
    },
    places: {
      fence: (kind, id) => {
        if (kind === 'geofence') return things.get('geofence', id)?.body.fence ?? null;
        const store = things.get('store', id);
        return store === undefined ? null : storeFence(store.body);
      },
      stores: () => stores().map(({ id }) => id),
      rivals: () =>
        things
          .list('geofence')
          .filter(({ body }) => body.rival === true && (advertiser === null || body.advertiser === advertiser))
          .map(({ id }) => id),
    },
    holdoutOf: (campaign) => {
      const holdout = things.get('campaign', campaign)?.body.holdout ?? null;
      return holdout === null ? null : { salt: holdout.salt ?? '', share: Math.round(holdout.percent * 100) };
    },
    withheld,
    consents: { audience: advertiser === null ? [''] : ['', advertiser], recorded: sourcesRecorded(things) },
    mayNest: (segment) => {
      const owner = things.get('segment', segment)?.body.advertiser ?? null;
      // A shared segment must not hand on what only the advertiser of a nested one may use.
      if (owner === advertiser || owner === null) return true;
      const theirs = new Set(sourcesWithheld(things, owner, 'profiles'));
      return withheld.every((source) => theirs.has(source));
    },
    currency: currencyOf(things, advertiser),
    perUsd: things.get('rates', RATES_ID)?.body.perUsd ?? {},
  };
}

/** The advertiser's currency, or the one of all advertisers; null where they have several. */
export function currencyOf(things: Things, advertiser: string | null): string | null {
  const own = advertiser === null ? undefined : things.get('advertiser', advertiser)?.body.currency;
  if (own !== undefined) return own;
  const all = new Set<string>(things.list('advertiser').map(({ body }) => body.currency));
  return all.size > 1 ? null : ([...all][0] ?? 'USD');
}
