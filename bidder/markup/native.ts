import type { FilledAsset } from '../core/fit-native.ts';
import type { NoticeAddresses } from '../notices/address.ts';
import type { NativeImp } from '../openrtb/request.ts';

const IMPRESSION = 1;
const IMAGE = 1;
/** Until here the answer stood in an object of its own (Native 1.2, 5). */
const WRAPPED = '1.0';

/** JSON of a native ad, OpenRTB Native 1.2. */
export function nativeMarkup(imp: NativeImp, assets: readonly FilledAsset[], click: string, addresses: NoticeAddresses): string {
  const ver = imp.ver === '' ? '1.2' : imp.ver;
  const answer = { ver, assets: assets.map(wireAsset), link: { url: click }, ...trackers(imp, addresses) };
  return JSON.stringify(ver === WRAPPED ? { native: answer } : answer);
}

function wireAsset(asset: FilledAsset): Record<string, unknown> {
  const head = { id: asset.id, ...(asset.required ? { required: 1 } : {}) };
  switch (asset.kind) {
    case 'title':
      return { ...head, title: { text: asset.text } };
    case 'data':
      return { ...head, data: { type: asset.type, value: asset.text } };
    case 'img':
      return { ...head, img: { type: asset.type, url: asset.url, w: asset.w, h: asset.h } };
  }
}

/**
 * Where the seller can load a picture for an event, our pixel is that; else the older `imptrackers`, which each seller knows.
 * We send no scripts.
 */
function trackers({ trackers: offered }: NativeImp, { impression }: NoticeAddresses): Record<string, unknown> {
  const takesPixel = offered.some(({ event, methods }) => event === IMPRESSION && methods.includes(IMAGE));
  return takesPixel ? { eventtrackers: [{ event: IMPRESSION, method: IMAGE, url: impression }] } : { imptrackers: [impression] };
}
