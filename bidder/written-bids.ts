import { quoted, unquoted } from '../proto/json-text.ts';
import type { CreativeMacro } from '../proto/macros.ts';
import type { LiveExchange } from '../proto/snapshot.ts';
import { CONTENT_1, categoriesIn } from './core/categories.ts';
import type { Choice } from './core/choice.ts';
import type { Banner, LineItem, WrittenBanner } from './core/line-item.ts';
import { macroValue } from './core/texts.ts';
import { type Bid, type EncodeOptions, expOf } from './encode.ts';
import { escapeHtml } from './markup/escape.ts';
import { type NoticeAddresses, noticeAddresses, priceMacroOf } from './notices/address.ts';

/**
 * The JSON of a response whose bids are all banners: to the byte what `JSON.stringify` makes of `responseOf`
 * (`test/bidder/markup.test.ts`). Nearly all of the 3.5 kB of a bid is known to need no escape, or is the same for each bid of a creative.
 */
export interface WrittenBids {
  readonly json: string;
}

/** Null where `responseOf` is to be asked: of another format of ads or taxonomy, a label of law, a base address that needs escapes. */
export function writeBids(
  auction: string,
  exchange: LiveExchange,
  bids: readonly Bid[],
  options: EncodeOptions,
  cattax = CONTENT_1,
): WrittenBids | null {
  const [first] = bids;
  if (first === undefined || cattax !== CONTENT_1 || exchange.adLabel || !PLAIN_ADDRESS.test(options.publicUrl)) return null;
  let list = '';
  for (const bid of bids) {
    const { creative } = bid.choice.fit;
    if (creative.type !== 'banner') return null;
    list += `${list === '' ? '' : ','}${writeBid(bid, creative, exchange, options)}`;
  }
  const seat = exchange.seat === null ? '' : `"seat":${quoted(exchange.seat)},`;
  const head = `{"id":${quoted(auction)},"bidid":${quoted(first.record.bid)},"cur":${quoted(first.choice.currency)}`;
  return { json: `${head},"seatbid":[{${seat}"bid":[${list}]}]}` };
}

/** Nothing in it is escaped, in HTML or in JSON. */
const PLAIN_ADDRESS = /^[\w:/.~-]*$/;

function writeBid({ choice, record }: Bid, creative: Banner, exchange: LiveExchange, options: EncodeOptions): string {
  const { imp, lineItem, deal } = choice;
  const { bid } = record;
  const written = creative.written ?? writtenOf(creative, lineItem);
  const screen = imp.multiplier !== 1;
  const addresses = noticeAddresses(record, options.publicUrl, options.noticeSecret, screen, priceMacroOf(exchange));
  const { win, billing, loss, impression } = addresses;
  const pixel = `<img src=\\"${impression}\\" width=\\"1\\" height=\\"1\\" alt=\\"\\" style=\\"position:absolute\\">`;
  const html = htmlOf(choice, creative, written, bid, addresses);
  const head = `{"id":${quoted(bid)},"impid":${quoted(record.imp)},"price":${choice.cpm},"adid":${quoted(creative.id)}`;
  const dealid = deal === null ? '' : `"dealid":${quoted(deal.id)},`;
  const tail = `${dealid}${written.size},"exp":${expOf(imp, options)},"nurl":"${win}","burl":"${billing}","lurl":"${loss}"}`;
  return `${head},"adm":"${html}${pixel}",${written.about},${tail}`;
}

function writtenOf(creative: Banner, lineItem: LineItem): WrittenBanner {
  const { id, html, landing, iurl, attributes, apis, language, w, h } = creative;
  const about = {
    adomain: lineItem.domains,
    bundle: lineItem.bundle === '' ? undefined : lineItem.bundle,
    iurl: iurl ?? undefined,
    cid: lineItem.campaign,
    crid: id,
    cat: categoriesIn(lineItem.categories, CONTENT_1),
    attr: attributes,
    apis: apis.length === 0 ? undefined : apis,
    language: language ?? undefined,
  };
  const written = {
    html: html.map((part, at) => (at % 2 === 0 ? unquoted(part) : part)),
    landing: landing.map((part, at) => (at % 2 === 0 ? encodeURIComponent(part) : part)),
    about: JSON.stringify(about).slice(1, -1),
    size: `"w":${w},"h":${h},"mtype":1`,
  };
  creative.written = written;
  return written;
}

/** As text within JSON. */
function htmlOf(choice: Choice, creative: Banner, written: WrittenBanner, bid: string, addresses: NoticeAddresses): string {
  const { html } = written;
  let text = '';
  for (let at = 0; at < html.length; at++) {
    const part = html[at] as string;
    if (at % 2 === 0) text += part;
    else if (part === 'CLICK_URL') text += clickOf(choice, creative, written, bid, addresses);
    else text += unquoted(escapeHtml(macroValue(part as CreativeMacro, choice, creative.id, bid)));
  }
  return text;
}

/** The landing address is needed as it is, which is signed, and encoded as a part of another address. */
function clickOf(choice: Choice, creative: Banner, written: WrittenBanner, bid: string, addresses: NoticeAddresses): string {
  let landing = '';
  let encoded = '';
  for (let at = 0; at < creative.landing.length; at++) {
    const part = creative.landing[at] as string;
    if (at % 2 === 0) {
      landing += part;
      encoded += written.landing[at] as string;
      continue;
    }
    const value = encodedOf(macroValue(part as CreativeMacro, choice, creative.id, bid));
    landing += value;
    encoded += encodedOf(value);
  }
  // Of what `encodeURIComponent` leaves as it is HTML escapes the apostrophe.
  return addresses.clickInHtml(landing, encoded.includes("'") ? encoded.replaceAll("'", '&#39;') : encoded);
}

const UNRESERVED = /^[\w.~-]*$/;

function encodedOf(text: string): string {
  return UNRESERVED.test(text) ? text : encodeURIComponent(text);
}
