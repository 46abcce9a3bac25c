import type { City } from './city.ts';
import { TIME_ZONE } from './map.ts';
import { DAY, endOf, HISTORY_DAYS, HISTORY_PING_DAYS } from './settings.ts';

/**
 * What the marketer of Birch Market sets up, as bodies of the admin API. Ids are fixed, so setting up again replaces.
 * Segments look at fixed days before the campaign: who is in them does not change while the ads run.
 */
export const IDS = {
  advertiser: 'birch',
  till: 'city-till',
  app: 'city-app',
  exchange: 'city',
  group: 'birch-all',
  dairy: 'city-dairy',
  rivalVisitors: 'city-rival-visitors',
  lapsed: 'city-lapsed',
  prospects: 'city-prospects',
} as const;

export interface Resource {
  readonly path: string;
  readonly body: unknown;
}

/** Ids of one attempt at the demo; a new attempt gets a campaign of its own, so its counts begin at zero. */
export function campaignIds(attempt: number): { campaign: string; nearby: string; prospects: string } {
  const suffix = attempt === 1 ? '' : `-${attempt}`;
  return { campaign: `city-visits${suffix}`, nearby: `city-nearby${suffix}`, prospects: `city-prospects${suffix}` };
}

/** The apps know their users' cards of the market. */
const NAMESPACE = 'birch-market';

export function parties(): Resource[] {
  return [
    {
      path: `/v1/advertisers/${IDS.advertiser}`,
      body: { name: 'Birch Market', domains: ['birchmarket.example'], currency: 'USD' },
    },
    {
      path: `/v1/sources/${IDS.till}`,
      body: { name: 'Birch Market tills', party: '1p', timeZone: TIME_ZONE, currency: 'USD', namespace: NAMESPACE },
    },
    {
      path: `/v1/sources/${IDS.app}`,
      body: { name: 'City apps', party: '2p', timeZone: 'UTC', currency: 'USD', namespace: NAMESPACE },
    },
    {
      path: `/v1/exchanges/${IDS.exchange}`,
      body: { name: 'City exchange', defaultTmax: 900, networkAllowance: 10, billing: 'burl', seat: 'walkin', simulated: true },
    },
  ];
}

export function places({ map }: City): Resource[] {
  const fences = [...map.nearby, ...map.rivals.map(({ id, name, fence }) => ({ id, name, fence }))];
  return [
    {
      path: `/v1/store-groups/${IDS.group}`,
      body: { advertiser: IDS.advertiser, name: 'All Birch Markets', stores: map.stores.map((store) => store.id) },
    },
    ...fences.map(({ id, name, fence }) => ({ path: `/v1/geofences/${id}`, body: { advertiser: IDS.advertiser, name, fence } })),
  ];
}

export function segments({ settings, map }: City): Resource[] {
  const day = (days: number): string => new Date(settings.start + days * DAY).toISOString().slice(0, 10);
  const stores = map.stores.map((store) => store.id);
  const rules = {
    [IDS.dairy]: [
      'Bought dairy twice',
      { purchases: { departments: ['DAIRY'], stores, count: { min: 2 }, window: { from: day(-HISTORY_DAYS), to: day(-1) } } },
    ],
    [IDS.rivalVisitors]: [
      'Visited the competitor',
      {
        visits: {
          geofences: map.rivals.map(({ id }) => id),
          count: { min: 1 },
          window: { from: day(-HISTORY_PING_DAYS), to: day(-1) },
        },
      },
    ],
    [IDS.lapsed]: [
      'Bought before, not in the last three weeks',
      {
        all: [
          { purchases: { storeGroups: [IDS.group], window: { from: day(-HISTORY_DAYS), to: day(-22) } } },
          { not: { purchases: { storeGroups: [IDS.group], window: { from: day(-21), to: day(-1) } } } },
        ],
      },
    ],
    [IDS.prospects]: [
      'Worth inviting',
      {
        all: [
          { any: [{ segment: IDS.dairy }, { segment: IDS.rivalVisitors }, { segment: IDS.lapsed }] },
          { not: { attribute: { name: 'role', in: ['staff'] } } },
        ],
      },
    ],
  };
  return Object.entries(rules).map(([id, [name, rule]]) => ({
    path: `/v1/segments/${id}`,
    // A small city is a test, not people.
    body: { advertiser: IDS.advertiser, name, rule, minimumSize: 1 },
  }));
}

const CREATIVE = `<div style="font-family:sans-serif;width:100%;height:100%"><a href="\${CLICK_URL}" target="_blank"><b>\${STORE_NAME}</b><br>\${STORE_ADDRESS} \${DISTANCE}</a> <a href="\${DIRECTIONS_URL}">Directions</a></div>`;

export function creatives(attempt: number): { id: string; lineItem: string; body: unknown }[] {
  const ids = campaignIds(attempt);
  const sizes: [number, number][] = [
    [320, 50],
    [300, 250],
  ];
  return [ids.nearby, ids.prospects].flatMap((lineItem) =>
    sizes.map(([w, h]) => ({
      id: `${lineItem}-${w}x${h}`,
      lineItem,
      body: {
        advertiser: IDS.advertiser,
        name: `${lineItem} ${w}x${h}`,
        w,
        h,
        html: CREATIVE,
        landing: 'https://birchmarket.example/stores/${STORE_ID}?from=${LINE_ITEM_ID}',
        attributes: [],
        categories: ['IAB8'],
      },
    })),
  );
}

/** The campaign with its holdout, and two line items: near the stores, and people worth inviting wherever they are. */
export function campaign({ settings, map }: City): Resource[] {
  const ids = campaignIds(settings.attempt);
  const made = creatives(settings.attempt);
  const creativesOf = (lineItem: string): string[] =>
    made.filter((creative) => creative.lineItem === lineItem).map(({ id }) => id);
  const promotedStores = map.stores.map((store) => store.id);
  const shared = {
    campaign: ids.campaign,
    status: 'active',
    budget: { totalMicros: 20_000_000_000 },
  };
  return [
    ...made.map(({ id, body }) => ({ path: `/v1/creatives/${id}`, body })),
    {
      path: `/v1/campaigns/${ids.campaign}`,
      body: {
        advertiser: IDS.advertiser,
        name: 'Come and see us',
        status: 'active',
        start: new Date(settings.start).toISOString(),
        end: new Date(endOf(settings) + 31 * DAY).toISOString(),
        budgetMicros: 30_000_000_000,
        holdout: { percent: settings.holdout, salt: `city-${settings.seed}` },
      },
    },
    {
      path: `/v1/line-items/${ids.nearby}`,
      body: {
        ...shared,
        name: 'Near our stores',
        bid: { maxCpmMicros: 6_500_000, distance: { halvesEveryMetres: 900, floorShare: 0.3 } },
        caps: [
          { count: 2, hours: 24 },
          { count: 1, hours: 1 },
        ],
        targeting: { exchanges: [IDS.exchange], geofences: map.nearby.map(({ id }) => id), promotedStores, openStoresOnly: true },
        creatives: creativesOf(ids.nearby),
      },
    },
    {
      path: `/v1/line-items/${ids.prospects}`,
      body: {
        ...shared,
        name: 'Worth inviting',
        bid: { maxCpmMicros: 3_200_000 },
        caps: [{ count: 2, hours: 24 }],
        targeting: { exchanges: [IDS.exchange], segments: [[IDS.prospects]], promotedStores },
        creatives: creativesOf(ids.prospects),
      },
    },
  ];
}
