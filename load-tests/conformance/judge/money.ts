import type { Offer } from './case.ts';
import { countOf, isOn, isSameId, type Json, numberOf, objectOf, objectsOf, positiveOf, textOf, textsOf } from './read.ts';

/** Prices are printed with a few decimals. */
const ROUNDING = 1e-6;

export function judgePrice(offer: Offer): string[] {
  const price = numberOf(offer.bid['price']) ?? 0;
  if (price <= 0) return [`price ${price} is not above 0`];
  return floorsOf(offer).flatMap(({ name, floor, currency }) => {
    const converted = convert(floor, currency, offer);
    if (converted === null || price >= converted * (1 - ROUNDING)) return [];
    return [`price ${price} ${offer.currency} is under the ${name} of ${floor} ${currency}`];
  });
}

interface Floor {
  readonly name: string;
  readonly floor: number;
  readonly currency: string;
}

/**
 * Floors of the deal stand for those of the imp where it has any. A spot of a length that `durfloors` names has that floor, and
 * a price for each second is asked besides.
 */
function floorsOf(offer: Offer): Floor[] {
  const { imp, media, bid } = offer;
  const deal = dealOf(offer);
  const ofDeal = deal !== null && hasFloor(deal) ? deal : null;
  const currency = textOf((ofDeal ?? imp)['bidfloorcur']).toUpperCase() || 'USD';
  const plain = positiveOf((ofDeal ?? imp)['bidfloor']);
  const seconds = positiveOf(bid['dur']);
  const lengths = seconds === 0 ? [] : objectsOf((ofDeal ?? media)['durfloors']);
  const own = lengths.find(({ mindur, maxdur }) => seconds >= countOf(mindur) && seconds <= (countOf(maxdur) || seconds));
  const perSecond = positiveOf((ofDeal ?? media)['mincpmpersec']);
  const name = ofDeal === null ? 'floor' : "deal's floor";
  return [
    { name, floor: own === undefined ? plain : positiveOf(own['bidfloor']), currency },
    { name: `${name} for its length`, floor: perSecond * seconds, currency },
  ].filter(({ floor }) => floor > 0);
}

function hasFloor(deal: Json): boolean {
  return positiveOf(deal['bidfloor']) > 0 || positiveOf(deal['mincpmpersec']) > 0 || objectsOf(deal['durfloors']).length > 0;
}

/** The amount in the bid's currency; null where no rate is known. */
function convert(amount: number, from: string, { currency, terms }: Offer): number | null {
  if (from === currency) return amount;
  const [mine, theirs] = [terms.perUsd?.[currency], terms.perUsd?.[from]];
  return mine === undefined || theirs === undefined ? null : (amount / theirs) * mine;
}

function dealOf({ imp, bid }: Offer): Json | null {
  if (bid['dealid'] === undefined) return null;
  return objectsOf(objectOf(imp['pmp'])['deals']).find((deal) => isSameId(deal['id'], textOf(bid['dealid']))) ?? null;
}

export function judgeDeal(offer: Offer): string[] {
  const { imp, bid, seat } = offer;
  const isPrivate = isOn(objectOf(imp['pmp'])['private_auction']);
  if (bid['dealid'] === undefined) return isPrivate ? ['an open bid in a private auction'] : [];
  const deal = dealOf(offer);
  if (deal === null) return [`deal ${bid['dealid']} is not offered`];
  const faults: string[] = [];
  const seats = textsOf(deal['wseat']);
  if (seats.length > 0 && !seats.includes(seat)) faults.push(`seat "${seat}" is not invited to deal ${bid['dealid']}`);
  const domains = textsOf(deal['wadomain']).map((domain) => domain.toLowerCase());
  if (domains.length === 0) return faults;
  for (const domain of textsOf(bid['adomain']))
    if (!domains.some((allowed) => domain === allowed || domain.endsWith(`.${allowed}`)))
      faults.push(`${domain} is not allowed in deal ${bid['dealid']}`);
  return faults;
}
