import type { CreativeMacro } from '../../proto/macros.ts';
import type { LiveStore } from '../../proto/snapshot.ts';
import type { LineItem } from './line-item.ts';

/** A creative's texts with its macros filled in. */

export type MacroValues = Readonly<Record<CreativeMacro, string>>;

/** What an ad of a line item shows, beside the creative. */
export interface Shown {
  readonly lineItem: LineItem;
  readonly store: LiveStore | null;
  readonly metres: number | null;
}

/** Values of all macros but the click address, which itself holds the landing address. */
export function macroValues(shown: Shown, creative: string, bid: string): MacroValues {
  const own = (macro: CreativeMacro): string => macroValue(macro, shown, creative, bid);
  return {
    STORE_ID: own('STORE_ID'),
    STORE_NAME: own('STORE_NAME'),
    STORE_ADDRESS: own('STORE_ADDRESS'),
    DISTANCE_M: own('DISTANCE_M'),
    DISTANCE: own('DISTANCE'),
    DIRECTIONS_URL: own('DIRECTIONS_URL'),
    CLICK_URL: own('CLICK_URL'),
    CAMPAIGN_ID: own('CAMPAIGN_ID'),
    LINE_ITEM_ID: own('LINE_ITEM_ID'),
    CREATIVE_ID: own('CREATIVE_ID'),
    CACHEBUSTER: own('CACHEBUSTER'),
  };
}

/** One of them: to print where a store is takes longer than most others together. */
export function macroValue(macro: CreativeMacro, { lineItem, store, metres }: Shown, creative: string, bid: string): string {
  switch (macro) {
    case 'STORE_ID':
      return store?.id ?? '';
    case 'STORE_NAME':
      return store?.name ?? '';
    case 'STORE_ADDRESS':
      return store?.address ?? '';
    case 'DISTANCE_M':
      return store === null || metres === null ? '' : String(Math.round(metres / 10) * 10);
    case 'DISTANCE':
      return store === null || metres === null ? '' : spokenDistance(metres);
    case 'DIRECTIONS_URL':
      return store === null ? '' : `https://www.google.com/maps/dir/?api=1&destination=${store.lat},${store.lon}`;
    case 'CLICK_URL':
      return '';
    case 'CAMPAIGN_ID':
      return lineItem.campaign;
    case 'LINE_ITEM_ID':
      return lineItem.id;
    case 'CREATIVE_ID':
      return creative;
    case 'CACHEBUSTER':
      return bid;
  }
}

/** "350 m", "1.2 km". */
export function spokenDistance(metres: number): string {
  return metres < 995 ? `${Math.round(metres / 10) * 10} m` : `${(metres / 1000).toFixed(1)} km`;
}

/** Joins parts of `splitMacros`: even entries text, odd entries names. */
export function fillMacros(parts: readonly string[], values: MacroValues, escaped: (text: string) => string = asItIs): string {
  let text = '';
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at] as string;
    text += at % 2 === 0 ? part : escaped(values[part as CreativeMacro]);
  }
  return text;
}

function asItIs(text: string): string {
  return text;
}
