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
export function macroValues({ lineItem, store, metres }: Shown, creative: string, bid: string): MacroValues {
  return {
    STORE_ID: store?.id ?? '',
    STORE_NAME: store?.name ?? '',
    STORE_ADDRESS: store?.address ?? '',
    DISTANCE_M: store === null || metres === null ? '' : String(Math.round(metres / 10) * 10),
    DISTANCE: store === null || metres === null ? '' : spokenDistance(metres),
    DIRECTIONS_URL: store === null ? '' : `https://www.google.com/maps/dir/?api=1&destination=${store.lat},${store.lon}`,
    CLICK_URL: '',
    CAMPAIGN_ID: lineItem.campaign,
    LINE_ITEM_ID: lineItem.id,
    CREATIVE_ID: creative,
    CACHEBUSTER: bid,
  };
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
