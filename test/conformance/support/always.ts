import { PER_USD } from '../../../load-tests/conformance/always.ts';
import type { Send } from '../../../load-tests/conformance/examine.ts';
import type { Terms } from '../../../load-tests/conformance/judge/case.ts';
import type { Wishes } from '../../../load-tests/conformance/wishes.ts';
import type { LiveLineItem, Snapshot } from '../../../proto/snapshot.ts';
import { PUBLIC_URL, publish, startBidder, type TestBidder } from '../../bidder/support/bidder.ts';
import { creative, exchange, lineItem, snapshot } from '../../bidder/support/live.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';

/** A bidder in this process, on a real Redis, with a line item for every format that always wants to bid. */
export interface AlwaysBidder {
  readonly bidder: TestBidder;
  readonly redis: TestRedis;
  readonly send: Send;
  readonly terms: Terms;
  close(): Promise<void>;
}

const MAX_CPM = 900_000_000;
const RATES = { USD: 1, ...PER_USD };

export async function startAlways(wishes: Wishes): Promise<AlwaysBidder> {
  const redis = await startRedis();
  await publish(redis.connect(), snapshotFor(wishes));
  const bidder = await startBidder(redis.path);
  const send: Send = async ({ headers, body }) => {
    const started = performance.now();
    const url = '/openrtb2/x';
    const reply = await bidder.worker.app.inject({ method: 'POST', url, payload: body, headers: { ...headers } });
    return {
      status: reply.statusCode,
      headers: reply.headers as Record<string, string | undefined>,
      body: reply.rawPayload,
      milliseconds: performance.now() - started,
      error: '',
    };
  };
  const terms: Terms = { noticeBase: PUBLIC_URL, bidsPerImp: 1, perUsd: RATES, requiredFields: [], patience: 0 };
  return {
    bidder,
    redis,
    send,
    terms,
    close: async () => {
      await bidder.close();
      await redis.stop();
    },
  };
}

function snapshotFor(wishes: Wishes): Snapshot {
  const domains = ['always.example', ...wishes.dealDomains];
  return snapshot({
    // A network that gives time instead of taking it: what is judged is the answer, however busy the machine is.
    exchanges: [exchange('x', { seat: wishes.seat ?? 'conformance', defaultTmax: 1_000, networkAllowance: -30_000 })],
    lineItems: domains.flatMap((domain, index) => lineItemsFor(domain, index, wishes)),
    rates: { at: Date.now(), perUsd: RATES },
  });
}

function lineItemsFor(domain: string, index: number, wishes: Wishes): LiveLineItem[] {
  const landing = `https://${domain}/`;
  const media = (kinds: readonly string[], medium: string, w: number, h: number) =>
    kinds.map((kind) => ({ url: `https://cdn.${domain}/a.${kind}`, mime: `${medium}/${kind}`, bitrate: 800, w, h }));
  const creatives = {
    banner: wishes.sizes.map(({ w, h }) => creative(`${w}x${h}`, { w, h, landing, attributes: [1] })),
    video: wishes.videoSeconds.map((duration) =>
      creative(`film-${duration}`, { type: 'video', duration, landing, media: media(['mp4', 'webm', 'ogg'], 'video', 640, 480) }),
    ),
    audio: wishes.audioSeconds.map((duration) =>
      creative(`spot-${duration}`, { type: 'audio', duration, landing, media: media(['mpeg', 'mp4', 'mp3'], 'audio', 0, 0) }),
    ),
    native: [IMAGES, ...wishes.pictures.map(imagesOf)].map((images, at) =>
      creative(`native-${at}`, { type: 'native', landing, images }),
    ),
  };
  return Object.entries(creatives).map(([format, ads]) =>
    lineItem(`always-${index}-${format}`, {
      domains: [domain],
      categories: ['IAB22-1'],
      bid: { maxCpm: MAX_CPM - index * 1_000_000, distance: null },
      creatives: ads,
    }),
  );
}

const imagesOf = (pictures: Wishes['pictures'][number]) =>
  pictures.map(({ type, w, h, extension }) => ({ type, url: `https://cdn.always.example/${w}x${h}.${extension}`, w, h }));

const IMAGES = [
  { type: 1, url: 'https://cdn.always.example/80.png', w: 80, h: 80 },
  { type: 1, url: 'https://cdn.always.example/320.png', w: 320, h: 320 },
  { type: 3, url: 'https://cdn.always.example/1200.png', w: 1200, h: 1200 },
  { type: 3, url: 'https://cdn.always.example/627.png', w: 1200, h: 627 },
];
