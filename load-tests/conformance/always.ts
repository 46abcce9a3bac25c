import type { Api } from '../replay/api.ts';
import type { Wishes } from './wishes.ts';

/** Exchange that the requests are sent as. */
export const EXCHANGE = 'conformance';
export const SEAT = 'conformance';
const DOMAIN = 'always.example';
/** Above any floor that is meant to be met. */
const MAX_CPM_MICROS = 900_000_000;
const DAY = 86_400_000;
/** Published to the bidder, and what the judge reckons with: near enough to any day's. */
export const PER_USD = { EUR: 0.9, GBP: 0.8, JPY: 150, RUB: 90, MXN: 18, NZD: 1.6, CAD: 1.4, AUD: 1.5, INR: 85, CNY: 7 };
const CDN = `https://cdn.${DOMAIN}`;

/** For each advertiser a line item for each format: it always wants to bid, in the open market and under any deal. */
export async function putAlways(api: Api, wishes: Wishes): Promise<void> {
  await api.put(`/v1/exchanges/${EXCHANGE}`, {
    name: 'Conformance',
    // As long as the judge waits: a busy machine is not what is judged.
    defaultTmax: 1_000,
    networkAllowance: 0,
    billing: 'burl',
    seat: wishes.seat ?? SEAT,
  });
  await api.put('/v1/rates', { at: new Date().toISOString(), perUsd: PER_USD });
  const domains = [DOMAIN, ...wishes.dealDomains];
  for (const [index, domain] of domains.entries()) await putAdvertiser(api, `always-${index}`, domain, index, wishes);
}

/** Those for a deal's domains come after the one for all. */
async function putAdvertiser(api: Api, id: string, domain: string, index: number, wishes: Wishes): Promise<void> {
  const now = Date.now();
  await api.put(`/v1/advertisers/${id}`, { name: domain, domains: [domain], currency: 'USD' });
  await api.put(`/v1/campaigns/${id}`, {
    advertiser: id,
    name: 'Always',
    status: 'active',
    start: new Date(now - DAY).toISOString(),
    end: new Date(now + DAY).toISOString(),
    budgetMicros: null,
    holdout: null,
  });
  for (const [format, creatives] of Object.entries(creativesFor(id, `https://${domain}/`, wishes))) {
    for (const { id: creative, ...body } of creatives) await api.put(`/v1/creatives/${creative}`, body);
    await api.put(`/v1/line-items/${id}-${format}`, {
      campaign: id,
      name: `Always ${format}`,
      status: 'active',
      budget: { totalMicros: null, dailyMicros: null },
      bid: { maxCpmMicros: MAX_CPM_MICROS - index * 1_000_000 },
      caps: [],
      targeting: {},
      creatives: creatives.map((creative) => creative.id),
    });
  }
}

type Creative = Record<string, unknown> & { readonly id: string };

function creativesFor(advertiser: string, landing: string, wishes: Wishes): Record<string, Creative[]> {
  const base = { advertiser, landing };
  const { sizes, videoSeconds, audioSeconds } = wishes;
  return {
    banner: sizes.map(({ w, h }) => {
      const name = `${w}x${h}`;
      return { ...base, id: `${advertiser}-${name}`, name, w, h, html: '<a href="${CLICK_URL}">Always</a>' };
    }),
    video: videoSeconds.map((duration) => {
      const name = `film-${duration}`;
      return { ...base, id: `${advertiser}-${name}`, name, type: 'video', title: 'Always', duration, media: VIDEO_FILES };
    }),
    audio: audioSeconds.map((duration) => {
      const name = `spot-${duration}`;
      return { ...base, id: `${advertiser}-${name}`, name, type: 'audio', title: 'Always', duration, media: AUDIO_FILES };
    }),
    native: [
      {
        ...base,
        id: `${advertiser}-native`,
        name: 'native',
        type: 'native',
        title: 'Always here',
        data: NATIVE_DATA,
        images: NATIVE_IMAGES.map(([type, w, h]) => ({ type, url: `${CDN}/${w}x${h}.png`, w, h })),
      },
    ],
  };
}

const VIDEO_FILES = ['mp4', 'webm', 'ogg', 'quicktime', '3gpp', 'x-flv'].map((kind) => ({
  url: `${CDN}/film.${kind}`,
  mime: `video/${kind}`,
  bitrate: 800,
  w: 640,
  h: 480,
}));

const AUDIO_FILES = ['mpeg', 'mp4', 'mp3', 'aac', 'ogg'].map((kind) => ({
  url: `${CDN}/spot.${kind}`,
  mime: `audio/${kind}`,
  bitrate: 128,
}));

/** Values by type of data asset, short enough for any length that is asked for. */
const NATIVE_DATA = {
  1: 'Always',
  2: 'Around the corner',
  3: '4.5',
  4: '100',
  5: '100',
  6: '5 $',
  7: '4 $',
  8: '555-0100',
  9: '1 Main St',
  10: 'By foot',
  11: 'always.example',
  12: 'Go',
};

/** Type, width, height: icons and main images of the shapes that sellers ask for. */
const NATIVE_IMAGES: readonly (readonly [number, number, number])[] = [
  [1, 80, 80],
  [1, 128, 128],
  [1, 320, 320],
  [3, 1200, 1200],
  [3, 1200, 627],
  [3, 300, 250],
  [3, 180, 120],
  [3, 150, 50],
];
