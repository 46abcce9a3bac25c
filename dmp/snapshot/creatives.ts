import type { LiveCreative } from '../../proto/snapshot.ts';
import type { Creative } from '../campaigns/creative.ts';
import { apisOf } from '../creatives/apis.ts';
import type { Thing } from '../things/things.ts';

/** A creative as the bidders need it. What its type must have was checked when it was written. */
export function liveCreative({ id, body }: Thing<Creative>, blockedExchanges: readonly string[]): LiveCreative {
  const { landing, iurl = null, attributes = [], language = null, duration = 0, title = '' } = body;
  const apis = apisOf(body);
  const base = { id, landing, iurl, attributes, ...(apis.length === 0 ? {} : { apis }), language, blockedExchanges };
  const media = (body.media ?? []).map(({ url, mime, bitrate, w = 0, h = 0 }) => ({ url, mime, bitrate, w, h }));
  switch (body.type ?? 'banner') {
    case 'banner':
      return { ...base, type: 'banner', w: body.w ?? 0, h: body.h ?? 0, html: body.html ?? '' };
    case 'video':
      return { ...base, type: 'video', duration, skipAfter: body.skipAfter ?? null, title, media };
    case 'audio':
      return { ...base, type: 'audio', duration, title, media };
    case 'native':
      return { ...base, type: 'native', title, data: body.data ?? {}, images: body.images ?? [] };
  }
}
