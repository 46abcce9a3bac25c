import { isHeldOut } from '../../proto/bucket.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import type { City } from '../city/city.ts';
import { campaign } from '../city/plan.ts';
import type { Shopper } from '../city/shoppers.ts';
import { visitsWithoutAds } from '../city/truth.ts';
import { type Spread, spreadOf } from './deviation.ts';

/**
 * Who of these people is held out under a pepper, by proto's own agreement: the anchor of the city's people is the advertising id,
 * since that is what first made their profiles.
 */
export function heldOutBy(city: City, pepper: string, people: readonly Shopper[]): Shopper[] {
  const { percent, salt } = holdoutOf(city);
  return people.filter(({ ifa }) => {
    const anchor = ifa === null ? null : keyIdentifier({ kind: 'ifa', value: ifa }, pepper);
    return anchor !== null && isHeldOut(anchor, salt, percent * 100);
  });
}

interface Holdout {
  readonly percent: number;
  readonly salt: string;
}

function holdoutOf(city: City): Holdout {
  const bodies = campaign(city).map(({ body }) => body as { holdout?: Holdout });
  return bodies.find(({ holdout }) => holdout !== undefined)?.holdout as Holdout;
}

/**
 * How far apart the arms' shares of visitors lie in the world without ads, in standard errors, over many peppers: what the draw alone
 * does to an estimate. `first`: when Walkin decides on each shopper, or null.
 */
export function splitsOf(city: City, first: readonly (number | null)[], peppers: readonly string[]): Spread | null {
  const decided = city.shoppers.filter(({ index }) => (first[index] ?? null) !== null);
  const visits = new Map(decided.map((shopper) => [shopper, isVisitor(city, shopper, first)]));
  const visitors = (people: readonly Shopper[]): number => people.filter((shopper) => visits.get(shopper)).length;
  const all = visitors(decided);
  return spreadOf(
    peppers.map((pepper) => {
      const heldOut = heldOutBy(city, pepper, decided);
      const came = visitors(heldOut);
      return apart(all - came, decided.length - heldOut.length, came, heldOut.length);
    }),
  );
}

function isVisitor(city: City, shopper: Shopper, first: readonly (number | null)[]): boolean {
  return shopper.sharesLocation && visitsWithoutAds(city, shopper, first[shopper.index] ?? null).length > 0;
}

/** Difference of two shares in its standard errors. */
function apart(came: number, of: number, cameHeldOut: number, ofHeldOut: number): number {
  const [p, q] = [came / of, cameHeldOut / ofHeldOut];
  return (p - q) / Math.sqrt((p * (1 - p)) / of + (q * (1 - q)) / ofHeldOut);
}
