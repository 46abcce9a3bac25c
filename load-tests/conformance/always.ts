import type { Api } from '../replay/api.ts';
import type { Picture, Wishes } from './wishes.ts';

/** Exchange that the requests are sent as. */
export const EXCHANGE = 'conformance';
export const SEAT = 'conformance';
const DOMAIN = 'always.example';
/** Above any floor that is meant to be met. */
const MAX_CPM_MICROS = 900_000_000;
const DAY = 86_400_000;
/** Published to the bidder, and what the judge reckons with: near enough to any day's. */
export const PER_USD = {
  ...{ EUR: 0.9, GBP: 0.8, JPY: 150, RUB: 90, MXN: 18, NZD: 1.6, CAD: 1.4, AUD: 1.5, INR: 85, CNY: 7, CHF: 0.85, SEK: 10 },
  ...{ NOK: 10, DKK: 6.8, PLN: 4, CZK: 23, HUF: 360, RON: 4.5, BGN: 1.8, TRY: 34, UAH: 41, ILS: 3.7, AED: 3.67, SAR: 3.75 },
  ...{ ZAR: 18, EGP: 48, NGN: 1_600, KES: 129, BRL: 5.5, ARS: 1_000, CLP: 940, COP: 4_200, PEN: 3.8, KRW: 1_380, TWD: 32 },
  ...{ HKD: 7.8, SGD: 1.3, MYR: 4.4, THB: 34, IDR: 15_800, PHP: 57, VND: 25_000, PKR: 278, BDT: 119, KZT: 500 },
};
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
  const { sizes, videoSeconds, audioSeconds, pictures } = wishes;
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
    native: [NATIVE_IMAGES, ...pictures].map((images, index) => ({
      ...base,
      id: `${advertiser}-native-${index}`,
      name: `native ${index}`,
      type: 'native',
      title: 'Always here',
      data: NATIVE_DATA,
      images: images.map(({ type, w, h, extension }) => ({ type, url: `${CDN}/${w}x${h}.${extension}`, w, h })),
    })),
  };
}

/** Kinds of files, and the bitrates (kbit/s) of each: what every player plays comes in several. */
const VIDEO_KINDS: Readonly<Record<string, readonly number[]>> = {
  'video/mp4': [300, 800, 1_500, 2_500, 5_000, 10_000],
  'video/webm': [800, 2_500],
  'video/ogg': [800],
  'video/quicktime': [800],
  'video/3gpp': [800],
  'video/x-flv': [800],
  'video/x-m4v': [800],
  'video/x-ms-wmv': [800],
  'video/mpeg': [800],
  'application/x-mpegurl': [800],
  'application/vnd.apple.mpegurl': [800],
  'application/dash+xml': [800],
};
const AUDIO_KINDS: Readonly<Record<string, readonly number[]>> = {
  'audio/mpeg': [64, 128, 256],
  'audio/mp3': [64, 128, 256],
  'audio/mp4': [64, 128, 256],
  'audio/aac': [128],
  'audio/ogg': [128],
  'audio/wav': [128],
  'audio/x-wav': [128],
  'audio/x-m4a': [128],
  'audio/m4a': [128],
};

function filesOf(kinds: Readonly<Record<string, readonly number[]>>) {
  return Object.entries(kinds).flatMap(([mime, bitrates]) =>
    bitrates.map((bitrate) => ({ url: `${CDN}/${bitrate}.${mime.replace(/^.*[/.]/, '')}`, mime, bitrate })),
  );
}

const VIDEO_FILES = filesOf(VIDEO_KINDS).map((file) => ({ ...file, w: 640, h: 480 }));
const AUDIO_FILES = filesOf(AUDIO_KINDS);

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

/** Icons and main images of the shapes that sellers ask for. */
const NATIVE_IMAGES: readonly Picture[] = (
  [
    [1, 80, 80],
    [1, 128, 128],
    [1, 320, 320],
    [3, 1200, 1200],
    [3, 1200, 627],
    [3, 300, 250],
  ] as const
).map(([type, w, h]) => ({ type, w, h, extension: 'png' }));
