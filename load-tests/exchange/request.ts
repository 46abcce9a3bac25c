import type { WireRequest } from '../../proto/openrtb.ts';
import type { PageView } from '../city/page-views.ts';
import type { Shopper } from '../city/shoppers.ts';

const SIZES: readonly (readonly [w: number, h: number])[] = [
  [320, 50],
  [300, 250],
];
const ZERO_IFA = '00000000-0000-0000-0000-000000000000';
/** Milliseconds. Long, because the city, the bidder and the warehouse share the cores of one machine. */
export const TMAX = 900;

/** What is said about the visitor of a page beside the page itself; the specification's 2.6 fields as sellers fill them. */
type Request26 = WireRequest & { source?: { tid: string }; imp: (WireRequest['imp'][number] & { tagid?: string })[] };

/** The bid request of a page view, OpenRTB 2.6. */
export function requestOf(shopper: Shopper, view: PageView, floor: number): Request26 {
  const [w, h] = SIZES[(shopper.index + Math.floor(view.at / 60_000)) % SIZES.length] as readonly [number, number];
  return {
    id: view.auction,
    imp: [
      {
        id: '1',
        tagid: `${view.kind}-${w}x${h}`,
        banner: { w, h, format: [{ w, h }] },
        bidfloor: floor,
        bidfloorcur: 'USD',
        secure: 1,
      },
    ],
    ...(view.kind === 'app' ? appOf(shopper) : siteOf()),
    device: deviceOf(shopper, view),
    // An opted-out person's id is not sold on.
    user: shopper.ifa === null ? {} : { id: shopper.exchangeUser },
    regs: { coppa: 0, gdpr: 0 },
    at: 1,
    tmax: TMAX,
    cur: ['USD'],
    bcat: ['IAB25', 'IAB26'],
    badv: ['blocked.example'],
    source: { tid: `t-${view.auction}` },
  };
}

function appOf(shopper: Shopper): Pick<WireRequest, 'app'> {
  const id = 1 + (shopper.index % 5);
  return { app: { id: `app-${id}`, bundle: `example.city.app${id}`, name: `City App ${id}`, cat: ['IAB12'] } };
}

function siteOf(): Pick<WireRequest, 'site'> {
  return { site: { id: 'site-1', domain: 'news.example', page: 'https://news.example/today', cat: ['IAB12'] } };
}

function deviceOf(shopper: Shopper, view: PageView): NonNullable<WireRequest['device']> {
  const limited = shopper.ifa === null;
  return {
    ua:
      shopper.os === 'ios'
        ? 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)'
        : 'Mozilla/5.0 (Linux; Android 14; Pixel 8)',
    ip: `203.0.113.${1 + (shopper.index % 254)}`,
    os: shopper.os,
    devicetype: 4,
    lmt: limited ? 1 : 0,
    dnt: 0,
    // A browser knows no advertising id.
    ...(view.kind === 'app' ? { ifa: shopper.ifa ?? ZERO_IFA } : {}),
    ...(view.fix === null ? {} : { geo: { ...view.fix, type: 1, lastfix: 5, utcoffset: 180 } }),
  };
}
