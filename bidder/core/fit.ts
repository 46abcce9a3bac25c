import type { NoBidReason } from '../../proto/no-bid.ts';
import type { LiveExchange } from '../../proto/snapshot.ts';
import type { Imp } from '../openrtb/request.ts';
import { fitsBanner } from './fit-banner.ts';
import { type FilledAsset, fitNative } from './fit-native.ts';
import { fitAudio, fitVideo, SKIPPABLE, type SpotFit } from './fit-spot.ts';
import type { Audio, Banner, Creative, Native, Video } from './line-item.ts';
import { macroValues, type Shown } from './texts.ts';

/** A creative, and how it stands in the place. */
export type Fit =
  | { readonly creative: Banner }
  | { readonly creative: Video; readonly spot: SpotFit }
  | { readonly creative: Audio; readonly spot: SpotFit }
  | { readonly creative: Native; readonly assets: readonly FilledAsset[] };

/** What a seller asks of creatives beside the place. */
export interface Terms {
  readonly wlang: readonly string[];
  readonly exchange: LiveExchange;
}

/**
 * The creative that fits the imp, or why there is none. Of several the auction's `turn` picks, so that all are shown without
 * randomness.
 */
export function fitCreative(shown: Shown, imp: Imp, terms: Terms, turn: number): Fit | NoBidReason {
  let reason: NoBidReason = 'no_creative';
  const { creatives } = shown.lineItem;
  for (let i = 0; i < creatives.length; i++) {
    const creative = creatives[(i + turn) % creatives.length] as Creative;
    const fit = fitOne(creative, imp, shown);
    if (fit === null || lacksField(shown, creative, terms.exchange)) continue;
    if (!speaks(creative.language, terms.wlang) || hasBlockedAttribute(fit, imp)) reason = 'blocked';
    else if (!creative.blockedExchanges.includes(terms.exchange.id)) return fit;
  }
  return reason;
}

function fitOne(creative: Creative, imp: Imp, shown: Shown): Fit | null {
  if (imp.secure === true && !creative.secure) return null;
  if (creative.apis.length > 0 && !offersApi(imp[creative.type]?.api, creative.apis)) return null;
  switch (creative.type) {
    case 'banner':
      return imp.banner !== null && fitsBanner(imp.banner, creative) ? { creative } : null;
    case 'video': {
      const spot = imp.video === null ? null : fitVideo(imp.video, creative);
      return spot === null ? null : { creative, spot };
    }
    case 'audio': {
      const spot = imp.audio === null ? null : fitAudio(imp.audio, creative);
      return spot === null ? null : { creative, spot };
    }
    case 'native': {
      const assets = imp.native === null ? null : fitNative(imp.native, creative, macroValues(shown, creative.id, ''));
      return assets === null ? null : { creative, assets };
    }
  }
}

/** An API that the place does not list is not there (OpenRTB 2.6, 3.2.6 to 3.2.9). */
function offersApi(offered: readonly number[] | undefined, needed: readonly number[]): boolean {
  if (offered === undefined) return false;
  for (const api of needed) if (offered.includes(api)) return true;
  return false;
}

/** A creative without a language has no words, or says so. `en` is allowed where `en-US` is. */
function speaks(language: string | null, wlang: readonly string[]): boolean {
  if (wlang.length === 0 || language === null) return true;
  for (const allowed of wlang) if (allowed === language || allowed.startsWith(`${language}-`)) return true;
  return false;
}

function hasBlockedAttribute(fit: Fit, imp: Imp): boolean {
  const battr = imp[fit.creative.type]?.battr ?? [];
  if (battr.length === 0) return false;
  for (const attribute of attributesOf(fit)) if (battr.includes(attribute)) return true;
  return false;
}

/** Attributes as the place shows it: a spot that may not be skipped has no button for it. */
export function attributesOf(fit: Fit): readonly number[] {
  const { attributes } = fit.creative;
  if (!('spot' in fit) || fit.creative.type !== 'video') return attributes;
  const others = attributes.filter((attribute) => attribute !== SKIPPABLE);
  return fit.spot.skipAfter === null ? others : [...others, SKIPPABLE];
}

/** Without these the exchange drops the bid. Those that every bid of ours has are not asked for; nor what a format cannot have. */
function lacksField({ lineItem }: Shown, creative: Creative, { requiredFields, seat }: LiveExchange): boolean {
  for (const field of requiredFields) {
    if (field === 'iurl' && creative.iurl === null) return true;
    if (field === 'cat' && lineItem.categories.length === 0) return true;
    if (field === 'language' && creative.language === null) return true;
    if (field === 'seat' && seat === null) return true;
  }
  return false;
}
