import type { Offer } from './case.ts';
import { isOn, textOf } from './read.ts';

/** Macros of the specification; anything else in `${…}` is a macro that the bidder forgot to fill in. */
export const MACROS: ReadonlySet<string> = new Set(
  'ID BID_ID IMP_ID SEAT_ID AD_ID PRICE CURRENCY MBR LOSS MIN_TO_WIN MULTIPLIER IMP_TS DISCOUNT_PCT DISCOUNT_CPM'
    .split(' ')
    .map((name) => `AUCTION_${name}`),
);
/** Names of XML schemas are no addresses. */
const NAMESPACE = /\bxmlns(:\w+)?\s*=\s*("[^"]*"|'[^']*')|\bxsi:\w+\s*=\s*"[^"]*"|<!DOCTYPE[^>]*>/g;

/** Faults of what is shown and called: plain addresses where the imp is secure, macros, notices. */
export function judgeMarkup(offer: Offer): string[] {
  const { bid } = offer;
  const faults = [...judgeMacros(bid['adm']), ...judgeSecurity(offer)];
  for (const [field, macro] of [
    ['nurl', 'AUCTION_PRICE'],
    ['burl', 'AUCTION_PRICE'],
    ['lurl', 'AUCTION_LOSS'],
  ] as const) {
    const address = textOf(bid[field]);
    if (address === '') continue;
    faults.push(...judgeMacros(address));
    if (!address.includes(`\${${macro}`)) faults.push(`${field} has no \${${macro}}`);
    if (!URL.canParse(address)) faults.push(`${field} is no address`);
  }
  return faults;
}

function judgeMacros(value: unknown): string[] {
  const unknown = new Set<string>();
  for (const [macro, name = ''] of textOf(value).matchAll(/\$\{(\w+)(?::\w+)?\}/g)) if (!MACROS.has(name)) unknown.add(macro);
  return [...unknown].map((macro) => `${macro} is no macro of the specification`);
}

/** The bidder's own notices on loopback are exempt: there nothing is encrypted. */
function judgeSecurity({ imp, bid, terms }: Offer): string[] {
  if (!isOn(imp['secure'])) return [];
  const texts = [bid['adm'], bid['iurl'], bid['adm_native'] === undefined ? '' : JSON.stringify(bid['adm_native'])];
  const plain = texts.flatMap(
    (text) =>
      textOf(text)
        .replace(NAMESPACE, '')
        .match(/http:(\/\/|\\\/\\\/)[^\s"'<>\]]*/gi) ?? [],
  );
  return plain
    .map((address) => address.replaceAll('\\/', '/'))
    .filter((address) => !isOwnLoopback(address, terms.noticeBase))
    .map((address) => `${address.slice(0, 80)} on a secure imp`);
}

function isOwnLoopback(address: string, noticeBase: string): boolean {
  if (noticeBase === '' || !address.startsWith(`${noticeBase}/`)) return false;
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(noticeBase).hostname);
}
