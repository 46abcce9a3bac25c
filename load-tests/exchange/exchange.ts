import { cpmToMicros, impressionCost, type Micros } from '../../proto/money.ts';
import type { WireBid, WireResponse } from '../../proto/openrtb.ts';
import { chance, hashText, TOPIC } from '../city/chance.ts';
import type { PageView } from '../city/page-views.ts';
import type { Shopper } from '../city/shoppers.ts';
import { holdAuction, type Outcome, rivalryOf } from './auction.ts';
import type { Answer, Connection } from './connection.ts';
import { type AuctionFacts, callNotice, expand, linksOf } from './notices.ts';
import { requestOf } from './request.ts';

/** What became of one auction, as far as the exchange knows: only what the bidder acknowledged is in here. */
export type Sale =
  | { readonly kind: 'unanswered' | 'refused' | 'no-bid' }
  | {
      readonly kind: 'bid';
      readonly at: number;
      readonly creative: string;
      readonly won: boolean;
      /** Epoch ms, or null where the ad was not shown. */
      readonly shownAt: number | null;
      readonly clickedAt: number | null;
      readonly cost: Micros;
    };

export interface Exchange {
  readonly bidder: Connection;
  readonly id: string;
  readonly seed: number;
  /** End of the simulated time, epoch ms: no notice is later. */
  readonly end: number;
}

const SHOWN = 0.94;
const CLICKED = 0.03;
const REPEATED = 0.1;
const LATE = 0.05;
const SECOND = 1_000;
/** After a call that nobody answered: an exchange sends less to a bidder that is away. */
const BACK_OFF = 200;
/** Milliseconds. A real exchange would not wait so long, but here a late answer is only a busy machine. */
const PATIENCE = 15_000;
/** A browser or an app shows the ad in this time, late ones excepted. Less than the distance that views keep from visits. */
const LATEST = 9 * 60_000;

/** Sells one page view: request, auction, notices. Never rejects for what the bidder does, but where a notice is not taken. */
export async function sell(exchange: Exchange, shopper: Shopper, view: PageView): Promise<Sale> {
  const rivalry = rivalryOf(exchange.seed, view.auction);
  const answer = await askForBid(exchange, JSON.stringify(requestOf(shopper, view, rivalry.floor)), view.at);
  if (answer === null) return { kind: 'unanswered' };
  if (answer.status === 204) return { kind: 'no-bid' };
  if (answer.status !== 200) return { kind: 'refused' };
  const response = JSON.parse(answer.body.toString()) as WireResponse;
  const bid = response.seatbid[0]?.bid[0];
  if (bid === undefined) return { kind: 'no-bid' };
  return settle(exchange, view, response, bid, holdAuction(rivalry, bid.price));
}

/** Whether a page view gets a bid; nothing is sold, and nothing is told of it after. */
export async function isBidOn(exchange: Exchange, shopper: Shopper, view: PageView): Promise<boolean> {
  const { floor } = rivalryOf(exchange.seed, view.auction);
  const answer = await askForBid(exchange, JSON.stringify(requestOf(shopper, view, floor)), view.at);
  if (answer === null) throw new Error(`${view.auction} was not answered`);
  return answer.status === 200;
}

async function askForBid(exchange: Exchange, body: string, at: number): Promise<Answer | null> {
  const headers = { 'content-type': 'application/json', 'x-openrtb-version': '2.6', 'x-walkin-time': String(at) };
  try {
    return await exchange.bidder.send({ method: 'POST', path: `/openrtb2/${exchange.id}`, headers, body, timeout: PATIENCE });
  } catch {
    await new Promise((resolve) => setTimeout(resolve, BACK_OFF));
    return null;
  }
}

type BidSale = Extract<Sale, { kind: 'bid' }>;

async function settle(
  exchange: Exchange,
  view: PageView,
  response: WireResponse,
  bid: WireBid,
  outcome: Outcome,
): Promise<BidSale> {
  const sale: BidSale = {
    kind: 'bid',
    at: view.at,
    creative: bid.crid,
    won: outcome.won,
    shownAt: null,
    clickedAt: null,
    cost: 0,
  };
  const facts: AuctionFacts = {
    auction: view.auction,
    response,
    bid,
    price: String(outcome.clearing),
    loss: outcome.won ? '0' : '102',
    minToWin: String(outcome.minToWin),
    shownAt: '',
  };
  const draw = (n: number): number => chance(exchange.seed, TOPIC.notice, hashText(view.auction), n);
  if (!outcome.won) {
    await notify(exchange, bid.lurl, { ...facts, price: '' }, view.at + SECOND, draw(0));
    return sale;
  }
  await notify(exchange, bid.nurl, facts, view.at + SECOND, draw(1));
  if (draw(2) >= SHOWN) return sale;
  return { ...sale, ...(await show(exchange, bid, facts, view.at, draw)) };
}

/** The ad is rendered: billing by the exchange's server, the pixel by the device, now and then a click. */
async function show(
  exchange: Exchange,
  bid: WireBid,
  facts: AuctionFacts,
  at: number,
  draw: (n: number) => number,
): Promise<Pick<BidSale, 'shownAt' | 'clickedAt' | 'cost'>> {
  const shownAt = at + (draw(3) < LATE ? Math.floor(draw(4) * LATEST) : 3 * SECOND);
  const shown = { ...facts, shownAt: String(shownAt) };
  const billedAt = draw(5) < LATE ? Math.min(exchange.end - 1, shownAt + Math.floor(6 * 3_600 * SECOND * draw(6))) : shownAt;
  await notify(exchange, bid.burl, shown, billedAt, draw(7));
  const links = linksOf(expand(bid.adm, shown));
  for (const pixel of links.pixels) await notify(exchange, pixel, shown, shownAt, draw(8));
  const clickedAt = draw(9) < CLICKED && links.click !== null ? shownAt + 5 * SECOND : null;
  if (clickedAt !== null) await click(exchange, links.click as string, clickedAt, draw(10));
  return { shownAt, clickedAt, cost: impressionCost(cpmToMicros(Number(facts.price))) };
}

/** Some are sent again, at once or a day late: it must not matter. */
async function notify(
  exchange: Exchange,
  template: string | undefined,
  facts: AuctionFacts,
  at: number,
  draw: number,
): Promise<void> {
  if (template === undefined) return;
  const address = expand(template, facts);
  for (const time of timesOf(exchange, at, draw)) {
    const { status } = await callNotice(exchange.bidder, address, time);
    if (status >= 300) throw new Error(`a notice was refused with ${status}: ${address.slice(0, 160)}`);
  }
}

/** A tap: the redirect is read, never followed. */
async function click(exchange: Exchange, address: string, at: number, draw: number): Promise<void> {
  for (const time of timesOf(exchange, at, draw)) {
    const { status, location } = await callNotice(exchange.bidder, address, time);
    if (status < 300 || status >= 400 || location === null) throw new Error(`a click got ${status} and leads to ${location}`);
  }
}

function timesOf(exchange: Exchange, at: number, draw: number): number[] {
  if (draw >= REPEATED) return [at];
  return [at, draw < REPEATED / 2 ? at : Math.min(exchange.end - 1, at + 86_400 * SECOND)];
}
