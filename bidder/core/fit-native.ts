import type { NativeAsset, NativeImp } from '../openrtb/request.ts';
import type { Native } from './line-item.ts';
import { fillMacros, type MacroValues } from './texts.ts';

/** An asset of the request, answered. */
export type FilledAsset =
  | { readonly kind: 'title'; readonly id: number; readonly required: boolean; readonly text: string }
  | { readonly kind: 'data'; readonly id: number; readonly required: boolean; readonly type: number; readonly text: string }
  | {
      readonly kind: 'img';
      readonly id: number;
      readonly required: boolean;
      readonly type: number;
      readonly url: string;
      readonly w: number;
      readonly h: number;
    };

/**
 * OpenRTB Native 1.2, 4.2: every required asset is answered in full or nothing is bid; others are left out where they do not
 * fit. A text is never cut: half a sentence is no ad. Null where it does not fit.
 */
export function fitNative(imp: NativeImp, creative: Native, values: MacroValues): FilledAsset[] | null {
  const filled: FilledAsset[] = [];
  for (const asset of imp.assets) {
    const answer = answerTo(asset, creative, values);
    if (answer !== null) filled.push(answer);
    else if (asset.required) return null;
  }
  return filled.length === 0 ? null : filled;
}

function answerTo(asset: NativeAsset, creative: Native, values: MacroValues): FilledAsset | null {
  const { id, required, type } = asset;
  switch (asset.kind) {
    case 'title': {
      const text = textWithin(creative.title, asset, values);
      return text === null ? null : { kind: 'title', id, required, text };
    }
    case 'data': {
      const parts = creative.data.get(type);
      const text = parts === undefined ? null : textWithin(parts, asset, values);
      return text === null ? null : { kind: 'data', id, required, type, text };
    }
    case 'img': {
      const image = creative.images.find((candidate) => isImageFor(asset, candidate));
      return image === undefined ? null : { kind: 'img', id, required, ...image };
    }
    case 'video':
      return null;
  }
}

/** Characters are counted as people do, not in halves of surrogate pairs. */
function textWithin(parts: readonly string[], { len }: NativeAsset, values: MacroValues): string | null {
  const text = fillMacros(parts, values).trim();
  if (text === '') return null;
  return len > 0 && text.length > len && [...text].length > len ? null : text;
}

const MAIN = 3;

/** `w` and `h` are exact where no least is said beside them (Native 1.2, 4.4). */
function isImageFor(asset: NativeAsset, image: Native['images'][number]): boolean {
  if (image.type !== (asset.type === 0 ? MAIN : asset.type)) return false;
  if (!isLong(image.w, asset.w, asset.wmin) || !isLong(image.h, asset.h, asset.hmin)) return false;
  return (
    asset.mimes.length === 0 ||
    asset.mimes.includes(image.mime) ||
    (image.mime === 'image/jpeg' && asset.mimes.includes('image/jpg'))
  );
}

function isLong(length: number, exact: number, least: number): boolean {
  return least > 0 ? length >= least : exact <= 0 || length === exact;
}

/** The type of a picture, told by its address; '' unknown, which fits only where any does. */
export function imageMime(url: string): string {
  const extension = /\.([a-z]{3,4})(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase() ?? '';
  return MIMES[extension] ?? '';
}

const MIMES: Readonly<Record<string, string>> = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  svg: 'image/svg+xml',
};
