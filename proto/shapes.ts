import type { LiveCreative } from './snapshot.ts';

/**
 * What of a creative can be told apart by rows of bits: creatives of one shape fit the same places, as far as this goes. Told by who publishes, so that
 * who compiles need not read creatives, which are most of what is published.
 */
export interface Shape {
  readonly type: LiveCreative['type'];
  readonly secure: boolean;
  /** Of a banner: pixels, and its OpenRTB banner types. */
  readonly w: number;
  readonly h: number;
  readonly kinds: readonly number[];
}

const SECURE = 's';

/** The shapes of creatives as texts, each once: `banner s 300 250 2 3`, `video -`. */
export function shapesOf(creatives: readonly LiveCreative[]): string[] {
  const texts = creatives.map(shapeText);
  return texts.length < 2 ? texts : [...new Set(texts)];
}

function shapeText(live: LiveCreative): string {
  if (live.type !== 'banner')
    return `${live.type} ${areSecure(live.type === 'native' ? live.images : live.media) ? SECURE : '-'}`;
  const { html, w, h } = live;
  return `banner ${isSecure(html) ? SECURE : '-'} ${w} ${h} ${bannerKinds(html).join(' ')}`;
}

export function shapeIn(text: string): Shape {
  const [type, secure, ...numbers] = text.split(' ');
  const [w = 0, h = 0, ...kinds] = numbers.map(Number);
  return { type: type as Shape['type'], secure: secure === SECURE, w, h, kinds };
}

/**
 * Banner types (List: Banner Ad Types) of an HTML text: 1 text without pictures, 2 pictures, 3 with a script of its own, 4 with a
 * frame. Our pixel is no picture.
 */
export function bannerKinds(html: string): number[] {
  const kinds = /<(img|picture|svg|canvas|video|input)\b|background(-image)?\s*[:=]|url\(/i.test(html) ? [2] : [1];
  if (/<script\b|\bon[a-z]+\s*=|javascript:/i.test(html)) kinds.push(3);
  if (/<iframe\b/i.test(html)) kinds.push(4);
  return kinds;
}

/** Names of XML namespaces look like addresses and are none. */
export function isSecure(html: string): boolean {
  return !/http:\/\/(?!www\.w3\.org\/)/i.test(html);
}

export function areSecure(files: readonly { readonly url: string }[]): boolean {
  return files.every(({ url }) => /^https:/i.test(url));
}
