import { judgeBanner } from './banner.ts';
import { type Answer, MEDIA, type Offer, type Question, type Terms } from './case.ts';
import { judgeMarkup } from './markup.ts';
import { judgeDeal, judgePrice } from './money.ts';
import { judgeNative } from './native.ts';
import { isObject, isSameId, type Json, objectsOf, textOf, textsOf } from './read.ts';
import { judgeBlocks, judgeSeat } from './seller.ts';
import { judgeShape } from './shape.ts';
import { judgeSpot } from './spot.ts';
import { judgeTransport } from './transport.ts';

/** What the judge says of an answer. */
export interface Verdict {
  /** Sentences, empty where the answer is right. */
  readonly faults: readonly string[];
  readonly bids: readonly Json[];
}

const BY_MEDIUM = { banner: judgeBanner, video: judgeSpot, audio: judgeSpot, native: judgeNative } as const;

/** Judges an answer against what was asked. Knows the specification only; shares nothing with a bidder. */
export function judge(question: Question, answer: Answer, terms: Terms): Verdict {
  const { faults, body } = judgeTransport(question, answer, terms);
  if (body === null) return { faults, bids: [] };
  let response: unknown;
  try {
    response = answer.read(body);
  } catch (error) {
    return { faults: [...faults, `the body cannot be read: ${(error as Error).message}`], bids: [] };
  }
  const misshapen = judgeShape(response);
  if (misshapen.length > 0 || !isObject(response)) return { faults: [...faults, ...misshapen], bids: bidsOf(response) };
  return { faults: [...faults, ...judgeResponse(question, response, terms)], bids: bidsOf(response) };
}

function bidsOf(response: unknown): Json[] {
  return isObject(response) ? objectsOf(response['seatbid']).flatMap((seat) => objectsOf(seat['bid'])) : [];
}

function judgeResponse({ request, fatal }: Question, response: Json, terms: Terms): string[] {
  const bids = bidsOf(response);
  if (bids.length === 0)
    return request === null ? ['a request that cannot be read is answered 400 or 204'] : judgeId(request, response);
  if (request === null) return ['bid on a request that cannot be read'];
  if (fatal) return ['bid on a request that must not be bid on'];
  const currency = textOf(response['cur']) || 'USD';
  return [
    ...judgeId(request, response),
    ...judgeCurrency(request, currency),
    ...judgeCounts(bids, terms),
    ...objectsOf(response['seatbid']).flatMap((seatbid) => {
      const seat = textOf(seatbid['seat']);
      const each = objectsOf(seatbid['bid']).flatMap((bid) =>
        judgeBid(request, bid, { seat, currency, terms }).map((fault) => `bid ${textOf(bid['impid'])}: ${fault}`),
      );
      return [...judgeSeat(request, seat), ...each];
    }),
  ];
}

function judgeId(request: Json, response: Json): string[] {
  const id = textOf(response['id']);
  return isSameId(request['id'], id) ? [] : [`the response's id "${id}" is not the request's`];
}

function judgeCurrency(request: Json, currency: string): string[] {
  const allowed = textsOf(request['cur']).map((code) => code.toUpperCase());
  const list = allowed.length === 0 ? ['USD'] : allowed;
  return list.includes(currency) ? [] : [`currency ${currency} is none of ${list.join(', ')}`];
}

function judgeCounts(bids: readonly Json[], { bidsPerImp }: Terms): string[] {
  const faults: string[] = [];
  const imps = new Map<string, number>();
  const ids = new Set<string>();
  for (const bid of bids) {
    const [id, imp] = [textOf(bid['id']), textOf(bid['impid'])];
    if (ids.has(id)) faults.push(`two bids have the id "${id}"`);
    ids.add(id);
    imps.set(imp, (imps.get(imp) ?? 0) + 1);
  }
  for (const [imp, count] of imps) if (count > bidsPerImp) faults.push(`${count} bids on imp ${imp}, at most ${bidsPerImp}`);
  return faults;
}

function judgeBid(request: Json, bid: Json, given: Pick<Offer, 'seat' | 'currency' | 'terms'>): string[] {
  const imps = objectsOf(request['imp']).filter((imp) => isSameId(imp['id'], textOf(bid['impid'])));
  if (imps.length !== 1) return [`${imps.length} imps have this id`];
  const imp = imps[0] as Json;
  const medium = MEDIA[bid['mtype'] as keyof typeof MEDIA];
  if (medium === undefined) return ['no mtype'];
  const media = imp[medium];
  if (!isObject(media)) return [`mtype ${bid['mtype']}, but the imp offers no ${medium}`];
  const offer: Offer = { request, imp, media, medium, bid, ...given };
  return [
    ...judgeFields(offer),
    ...judgePrice(offer),
    ...judgeDeal(offer),
    ...judgeBlocks(offer),
    ...judgeMarkup(offer),
    ...BY_MEDIUM[medium](offer),
  ];
}

/** What exchanges drop a bid for, beyond the specification (reference/bidding.md, 1.3). */
const USUAL = ['adomain', 'crid', 'cid'];

function judgeFields({ bid, terms }: Offer): string[] {
  const faults: string[] = [];
  const isThere = (field: string) =>
    bid[field] !== undefined &&
    bid[field] !== '' &&
    !(Array.isArray(bid[field]) && field === 'adomain' && (bid[field] as unknown[]).length === 0);
  for (const field of new Set([...USUAL, ...terms.requiredFields])) if (!isThere(field)) faults.push(`no ${field}`);
  if (!isThere('adm') && !isThere('adm_native') && !isThere('nurl')) faults.push('neither adm nor nurl');
  return faults;
}
