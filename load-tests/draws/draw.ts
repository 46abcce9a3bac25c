import { createHash } from 'node:crypto';
import { type FairArms, fairArms, firstDecisions, toldArms } from '../city/decisions.ts';
import type { Interval } from '../city/report.ts';
import { type Place, runCity } from '../city/run.ts';
import type { CitySettings } from '../city/settings.ts';
import { type Deviation, deviationOf } from './deviation.ts';
import { heldOutBy } from './splits.ts';

/** One way to draw the holdout, against a Walkin of its own. */
export interface Draw {
  readonly number: number;
  /** When each shopper was decided on, or would have been without a holdout. */
  readonly first: readonly (number | null)[];
  /** What the ads caused, visitors. */
  readonly truth: number;
  /** Null where the report concludes nothing; `conclusion` says why. */
  readonly measured: Interval | null;
  readonly conclusion: string;
  readonly deviation: Deviation | null;
  /** What a fair split of the people whom Walkin decided on comes to. */
  readonly fair: FairArms;
  readonly told: Pick<FairArms, 'treated' | 'control'>;
  /** Indexes of whom the pepper holds out of those who were decided on. */
  readonly byPepper: readonly number[];
}

/** Plays the whole city against a fresh Walkin, then asks it whom it would have decided on without a holdout. */
export async function draw(walkin: Place, settings: CitySettings, number: number): Promise<Draw> {
  const { city, ledger, report, truth } = await runCity(walkin, settings, { say: () => undefined });
  const first = await firstDecisions(walkin, city);
  const fair = fairArms(city, ledger, truth, first);
  const decided = city.shoppers.filter(({ index }) => (first[index] ?? null) !== null);
  return {
    number,
    first,
    truth: truth.incrementalVisitors,
    measured: report.lift.visitors?.incremental ?? null,
    conclusion: report.lift.sentence,
    deviation: deviationOf(truth, report),
    fair,
    told: toldArms(report),
    byPepper: heldOutBy(city, pepperOf(settings.seed, number), decided).map(({ index }) => index),
  };
}

/** The same draw has the same pepper, so it holds out the same people again. */
export function pepperOf(seed: number, number: number): string {
  return createHash('sha256').update(`draw ${number} of city ${seed}`).digest('hex');
}

/**
 * Whether the report counted in each arm as many as belong there, nobody's first decision was moved by the holdout, and those were held
 * out whom the pepper says.
 */
export function isFair({ fair, told, byPepper }: Pick<Draw, 'fair' | 'told' | 'byPepper'>): boolean {
  const same = (arm: 'treated' | 'control'): boolean => fair[arm].people === told[arm].people;
  return fair.moved === 0 && same('treated') && same('control') && `${fair.heldOut}` === `${byPepper}`;
}
