import type { NoBidReason } from '../../proto/no-bid.ts';
import type { LiveExchange } from '../../proto/snapshot.ts';
import type { Deal, Imp, SpotFloors } from '../openrtb/request.ts';
import { areAllowed } from './blocks.ts';
import type { LineItem } from './line-item.ts';

/** A way to buy an imp: under a deal, or on the open market. */
export interface Way {
  readonly deal: Deal | null;
  /** CPM in `floorcur`. */
  readonly floor: number;
  readonly floorcur: string;
  /** The floor is the price. */
  readonly fixed: boolean;
}

const FIXED_PRICE = 3;
/** From here on the numbers are the exchange's own, and what they mean is for its setting to say too. */
const OWN_TYPES = 500;

/** 1 first price, 2 second price, 3 the floor is the price: of the request, or the exchange's where that cannot be read. */
export function auctionTypeOf(at: number, { defaultAuction }: Pick<LiveExchange, 'defaultAuction'>): number {
  return at <= 0 || at >= OWN_TYPES ? defaultAuction : at;
}

/**
 * The ways that are open to our seat, the preferred first: guaranteed deals, other deals, the open market. A floor of a deal
 * takes the place of the imp's (OpenRTB 2.x implementation, 7.11).
 */
export function waysOf(imp: Imp, at: number, seat: string | null): Way[] {
  const open: Way = {
    deal: null,
    floor: imp.bidfloor,
    floorcur: imp.bidfloorcur,
    fixed: at === FIXED_PRICE,
  };
  if (imp.deals.length === 0) return imp.privateAuction ? [] : [open];
  const ways: Way[] = [];
  for (const deal of imp.deals) if (deal.guaranteed && isInvited(deal, seat)) ways.push(wayOf(deal, open, at));
  for (const deal of imp.deals) if (!deal.guaranteed && isInvited(deal, seat)) ways.push(wayOf(deal, open, at));
  if (!imp.privateAuction) ways.push(open);
  return ways;
}

function isInvited({ wseat }: Deal, seat: string | null): boolean {
  return wseat.length === 0 || (seat !== null && wseat.includes(seat));
}

function wayOf(deal: Deal, open: Way, at: number): Way {
  const fixed = (deal.at || at) === FIXED_PRICE;
  if (!hasFloor(deal)) return { ...open, deal, fixed };
  return { deal, floor: deal.bidfloor, floorcur: deal.bidfloorcur, fixed };
}

function hasFloor({ bidfloor, mincpmpersec, durfloors }: Deal): boolean {
  return bidfloor > 0 || mincpmpersec > 0 || durfloors.length > 0;
}

/** CPM, in the way's currency, that a spot of some seconds must reach: of the deal where that has floors, else of its place. */
export function spotFloor({ deal, floor }: Way, place: SpotFloors, seconds: number): number {
  const { mincpmpersec, durfloors } = deal !== null && hasFloor(deal) ? deal : place;
  const own = durfloors.find(({ mindur, maxdur }) => seconds >= mindur && seconds <= maxdur);
  return Math.max(own?.bidfloor ?? floor, mincpmpersec > 0 ? mincpmpersec * seconds : 0);
}

/**
 * Line items with deals bid under these only. Others bid on the open market, and under deals that no line item is made for
 * (`known` holds those that some is).
 */
export function screenWay(lineItem: LineItem, { deal }: Way, known: { has(deal: string): boolean }): NoBidReason | null {
  if (deal === null) return lineItem.deals === null ? null : 'deal';
  if (lineItem.deals === null ? known.has(deal.id) : !lineItem.deals.has(deal.id)) return 'deal';
  return deal.wadomain.length === 0 || areAllowed(lineItem.domains, deal.wadomain) ? null : 'deal';
}
