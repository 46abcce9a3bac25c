/** What makes one city and its two weeks what they are. The same settings give the same city and the same potential outcomes. */
export interface CitySettings {
  readonly seed: number;
  readonly shoppers: number;
  /** Days with ads. */
  readonly days: number;
  /** What a recent exposure adds to the daily chance to visit, the known truth. */
  readonly effect: number;
  /** Share of people held out, percent. */
  readonly holdout: number;
  /** First midnight (UTC) of the days with ads, epoch ms. */
  readonly start: number;
  /** Which try of the demo this is, from 1. A run that was broken off is not continued: the next one has a campaign of its own. */
  readonly attempt: number;
}

export const DAY = 86_400_000;
export const HOUR = 3_600_000;
export const MINUTE = 60_000;
/** Days of purchases before the first ad, for the segments. */
export const HISTORY_DAYS = 60;
/** Days of pings before the first ad. */
export const HISTORY_PING_DAYS = 21;

export const DEFAULTS = { seed: 2026, shoppers: 2_500, days: 14, effect: 0.018, holdout: 40 } as const;

/** The days end at the last midnight, so nothing of the city lies in the future. */
export function startBefore(now: number, days: number): number {
  return Math.floor(now / DAY) * DAY - days * DAY;
}

export function endOf(settings: CitySettings): number {
  return settings.start + settings.days * DAY;
}
