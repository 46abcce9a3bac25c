/** Macros that a creative's HTML and landing address may hold. All are escaped for where they stand. */
export const CREATIVE_MACROS = [
  'STORE_ID',
  'STORE_NAME',
  'STORE_ADDRESS',
  /** Metres, rounded to 10. Empty where the device's place is unknown. */
  'DISTANCE_M',
  /** As people say it: "350 m", "1.2 km". */
  'DISTANCE',
  /** A link that opens directions to the store. */
  'DIRECTIONS_URL',
  /** Click address of Walkin, leads to the landing address. */
  'CLICK_URL',
  'CAMPAIGN_ID',
  'LINE_ITEM_ID',
  'CREATIVE_ID',
  'CACHEBUSTER',
] as const;

export type CreativeMacro = (typeof CREATIVE_MACROS)[number];

/** Splits text at `${NAME}` of our macros; other `${…}` (the exchange's) stay text. Even entries text, odd entries macro names. */
export function splitMacros(text: string): string[] {
  return text.split(MACRO);
}

const MACRO = new RegExp(`\\$\\{(${CREATIVE_MACROS.join('|')})\\}`);
