import { connect } from '../exchange/connection.ts';
import { requestOf } from '../exchange/request.ts';
import type { ShopperRecord } from './ledger.ts';
import { type CityStore, moved, NIGHT_STORE } from './map.ts';
import { IDS } from './plan.ts';
import type { CityRun } from './run.ts';

const TRIES = 60;

/**
 * A request that gets a real bid now, with the real clock: somebody of the segment who is not held out opens an app beside the
 * store that never closes. It is sent once to be sure. Null where nobody gets a bid.
 */
export async function findDemoRequest({ city, ledger }: CityRun, bidderUrl: string, now: number): Promise<object | null> {
  const bidder = connect(bidderUrl, 1);
  const store = city.map.stores[NIGHT_STORE] as CityStore;
  const known = city.shoppers.filter((shopper) => {
    const { bids } = ledger.shoppers[shopper.index] as ShopperRecord;
    return shopper.sharesLocation && bids.some(({ lineItem }) => lineItem.includes('prospects'));
  });
  try {
    for (const shopper of known.slice(0, TRIES)) {
      const spot = moved(store, 90, 60);
      const fix = { lat: Number(spot.lat.toFixed(6)), lon: Number(spot.lon.toFixed(6)), accuracy: 12 };
      const request = requestOf(shopper, { auction: `demo-${shopper.index}`, at: now, kind: 'app', fix }, 0.5);
      const answer = await bidder.send({
        method: 'POST',
        path: `/openrtb2/${IDS.exchange}`,
        headers: { 'content-type': 'application/json', 'x-openrtb-version': '2.6' },
        body: JSON.stringify(request),
      });
      if (answer.status === 200) return request;
    }
    return null;
  } finally {
    bidder.close();
  }
}
