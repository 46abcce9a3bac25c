import { bannerOf } from './banner.ts';
import {
  amountOf,
  answerOf,
  extOf,
  flagOf,
  integerOf,
  isAbsent,
  isObject,
  type JsonObject,
  moved,
  numberOf,
  objectOf,
  objectsOf,
  protectionOf,
  type Quirks,
  textOf,
  textsOf,
} from './fields.ts';
import { nativeOf } from './native.ts';
import type { Deal, Imp } from './request.ts';
import { audioOf, spotFloorsOf, videoOf } from './video.ts';

/** A request with more places than this is not a page that anybody looks at. */
const MAX_IMPS = 200;
const MAX_DEALS = 200;
/** Ids go into every notice address. */
export const MAX_ID = 512;

const NO_DEALS: readonly Deal[] = Object.freeze([]);

/** An id as it must be sent back. */
export function idOf(value: unknown, quirks: Quirks): string {
  return textOf(value, quirks);
}

/** The places that could be filled; null where there is none, or where it is not clear which is which. */
export function impsOf(list: readonly unknown[], quirks: Quirks): Imp[] | null {
  if (list.length > MAX_IMPS) {
    quirks.add('too_many_imps');
    return null;
  }
  const imps: Imp[] = [];
  const ids = list.length > 1 ? new Set<string>() : null;
  for (const wire of list) {
    if (!isObject(wire)) {
      quirks.add('imp_not_object');
      continue;
    }
    const id = idOf(wire['id'], quirks);
    if (ids?.has(id) === true) {
      quirks.add('imp_duplicate');
      return null;
    }
    ids?.add(id);
    const imp = impOf(id, wire, quirks);
    if (imp !== null) imps.push(imp);
  }
  return imps.length === 0 ? null : imps;
}

function impOf(id: string, wire: JsonObject, quirks: Quirks): Imp | null {
  const { ext } = wire;
  if (id === '' || id.length > MAX_ID || id.includes('\ufffd')) return skip('imp_without_id', quirks);
  if (ext !== undefined && ext !== null && !isObject(ext)) return skip('imp_ext_not_object', quirks);
  const instl = flagOf(wire['instl'], quirks);
  const banner = isObject(wire['banner']) ? bannerOf(wire['banner'], instl, quirks) : null;
  const video = isObject(wire['video']) ? videoOf(wire['video'], quirks) : null;
  const audio = isObject(wire['audio']) ? audioOf(wire['audio'], quirks) : null;
  const native = isObject(wire['native']) ? nativeOf(wire['native'], quirks) : null;
  if (banner === null && video === null && audio === null && native === null) return skip('imp_without_media', quirks);
  const bidfloor = floorOf(wire['bidfloor'], quirks);
  if (bidfloor === null) return skip('unreadable_floor', quirks);
  const multiplier = multiplierOf(wire, quirks);
  if (multiplier === null) return skip('qty_unreadable', quirks);
  const pmp = objectOf(wire['pmp'], quirks);
  const bidfloorcur = currencyOf(wire['bidfloorcur'], bidfloor, quirks);
  return {
    id,
    tagid: textOf(wire['tagid'], quirks),
    instl,
    rwdd: isRewarded(wire, quirks),
    secure: answerOf(wire['secure'], quirks),
    bidfloor,
    bidfloorcur,
    exp: amountOf(wire['exp'], quirks),
    multiplier,
    position: positionOf(wire, quirks),
    viewability: viewabilityOf(wire, quirks),
    deals: dealsOf(pmp, quirks),
    privateAuction: protectionOf(pmp['private_auction'], quirks) ?? false,
    banner,
    video,
    audio,
    native,
  };
}

/** Of the banner or the video; 0 is "unknown". */
function positionOf({ banner, video }: JsonObject, quirks: Quirks): number | null {
  const own = isObject(banner) ? integerOf(banner['pos'], quirks) : null;
  return own || (isObject(video) ? integerOf(video['pos'], quirks) : null) || null;
}

/** A share of 0 to 1: what is more may be a percentage or anything else. */
function viewabilityOf(imp: JsonObject, quirks: Quirks): number | null {
  if (isAbsent(imp['metric'])) return null;
  for (const metric of objectsOf(imp['metric'], quirks)) {
    if (textOf(metric['type'], quirks).trim().toLowerCase() !== 'viewability') continue;
    const share = numberOf(metric['value'], quirks);
    if (share !== null && share >= 0 && share <= 1) return share;
    if (share !== null) quirks.add('metric_out_of_range');
  }
  return null;
}

function skip(quirk: Parameters<Quirks['add']>[0], quirks: Quirks): null {
  quirks.add(quirk);
  return null;
}

/** Null where there is one that nobody can read: it must not be bid under. */
function floorOf(value: unknown, quirks: Quirks): number | null {
  if (isAbsent(value)) return 0;
  const floor = numberOf(value, quirks);
  if (floor !== null && floor < 0) quirks.add('negative_floor');
  return floor === null ? null : Math.max(0, floor);
}

function currencyOf(value: unknown, floor: number, quirks: Quirks): string {
  const currency = textOf(value, quirks).trim().toUpperCase();
  if (currency === '' && floor > 0) quirks.add('currency_missing');
  return currency || 'USD';
}

/** How many people see one play; null where that is said and cannot be read. */
function multiplierOf(imp: JsonObject, quirks: Quirks): number | null {
  const qty = moved(imp['qty'], extOf(imp)['qty'], quirks);
  if (!isObject(qty) || isAbsent(qty['multiplier'])) return 1;
  const multiplier = numberOf(qty['multiplier'], quirks);
  return multiplier !== null && multiplier > 0 ? multiplier : null;
}

/** In its place of 2.6, or where sellers had it before. */
function isRewarded(imp: JsonObject, quirks: Quirks): boolean {
  const own = moved(imp['rwdd'], extOf(imp)['rwdd'], quirks);
  if (!isAbsent(own)) return flagOf(own, quirks);
  const { video } = imp;
  const former = isObject(video) && isObject(video['ext']) ? video['ext']['rewarded'] : undefined;
  if (isAbsent(former)) return false;
  quirks.add('field_of_2_5');
  return flagOf(former, quirks);
}

function dealsOf(pmp: JsonObject, quirks: Quirks): readonly Deal[] {
  if (isAbsent(pmp['deals'])) return NO_DEALS;
  const deals: Deal[] = [];
  for (const wire of objectsOf(pmp['deals'], quirks).slice(0, MAX_DEALS)) {
    const id = idOf(wire['id'], quirks);
    if (id === '' || id.length > MAX_ID || id.includes('\ufffd')) {
      quirks.add('deal_without_id');
      continue;
    }
    const bidfloor = floorOf(wire['bidfloor'], quirks);
    if (bidfloor === null) quirks.add('unreadable_floor');
    else deals.push(dealOf(id, bidfloor, wire, quirks));
  }
  return deals;
}

function dealOf(id: string, bidfloor: number, wire: JsonObject, quirks: Quirks): Deal {
  return {
    id,
    bidfloor,
    bidfloorcur: currencyOf(wire['bidfloorcur'], bidfloor, quirks),
    at: Math.max(0, integerOf(wire['at'], quirks) ?? 0),
    wseat: textsOf(wire['wseat'], quirks),
    wadomain: textsOf(wire['wadomain'], quirks).map((domain) => domain.trim().toLowerCase()),
    guaranteed: flagOf(moved(wire['guar'], extOf(wire)['guar'], quirks), quirks),
    ...spotFloorsOf(wire, quirks),
  };
}
