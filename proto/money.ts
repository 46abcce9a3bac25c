/**
 * Money. Inside Walkin it is an integer of micros (1 unit = 1,000,000 micros) beside an ISO 4217 currency; at the OpenRTB
 * edge it is the specification's CPM float.
 */
export type Micros = number;

export const MICROS = 1_000_000;

/** CPM float of the OpenRTB edge → integer micros of CPM. */
export function cpmToMicros(cpm: number): Micros {
  return Math.round(cpm * MICROS);
}

/** Integer micros of CPM → CPM float of the OpenRTB edge. */
export function microsToCpm(micros: Micros): number {
  return micros / MICROS;
}

/** What one impression costs at a CPM, both in micros; of a screen that `multiplier` people see, one play. */
export function impressionCost(cpm: Micros, multiplier = 1): Micros {
  return Math.round((cpm * multiplier) / 1000);
}

/** What data cost by the impression: micros per thousand, and hundredths of a percent of what the impression costs. */
export interface DataPrice {
  readonly cpm: Micros;
  readonly share: number;
}

/** What the data of one impression cost that costs `media` micros itself. */
export function dataCost(price: DataPrice | null | undefined, media: Micros): Micros {
  return price === null || price === undefined ? 0 : Math.round(price.cpm / 1_000 + (media * price.share) / 10_000);
}

const DECIMAL = /^([+-]?)(\d{1,9})(?:\.(\d{1,}))?$/;

/**
 * Reads a decimal amount ("3.86") into micros without passing through a float. Digits past the sixth are rounded half up.
 * Returns null when the text is not a plain decimal.
 */
export function parseMicros(text: string): Micros | null {
  const match = DECIMAL.exec(text.trim());
  if (match === null) return null;
  const fraction = match[3] ?? '';
  const digits = fraction.slice(0, 6).padEnd(6, '0');
  const roundUp = fraction.length > 6 && fraction.charCodeAt(6) >= 53 ? 1 : 0;
  const micros = Number(match[2]) * MICROS + Number(digits) + roundUp;
  return match[1] === '-' ? -micros : micros;
}
