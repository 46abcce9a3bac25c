import type { Offer } from './case.ts';
import { type Json, textOf, textsOf, wholeOf, wholesOf } from './read.ts';

/** The seller's rules for who may buy and what may be shown. */

export function judgeSeat(request: Json, seat: string): string[] {
  const faults: string[] = [];
  const wanted = textsOf(request['wseat']);
  if (wanted.length > 0 && !wanted.includes(seat)) faults.push(`seat "${seat}" is none of wseat`);
  if (textsOf(request['bseat']).includes(seat)) faults.push(`seat "${seat}" is in bseat`);
  return faults;
}

export function judgeBlocks(offer: Offer): string[] {
  return [
    ...judgeDomains(offer),
    ...judgeCategories(offer),
    ...judgeAttributes(offer),
    ...judgeBundle(offer),
    ...judgeLanguage(offer),
  ];
}

function judgeDomains({ request, bid }: Offer): string[] {
  const blocked = textsOf(request['badv']).map((domain) => domain.toLowerCase());
  return textsOf(bid['adomain'])
    .map((domain) => domain.toLowerCase())
    .filter((domain) => blocked.some((name) => domain === name || domain.endsWith(`.${name}`)))
    .map((domain) => `${domain} is in badv`);
}

function judgeCategories({ request, bid }: Offer): string[] {
  const [blocked, allowed] = [textsOf(request['bcat']), textsOf(request['acat'])];
  if (blocked.length === 0 && allowed.length === 0) return [];
  const [asked, given] = [wholeOf(request['cattax']) ?? 1, wholeOf(bid['cattax']) ?? 1];
  if (asked !== given) return [`categories of taxonomy ${given} cannot be held against those of ${asked}`];
  return textsOf(bid['cat']).flatMap((category) => {
    if (blocked.some((name) => isUnder(category, name))) return [`category ${category} is in bcat`];
    return allowed.length > 0 && !allowed.some((name) => isUnder(category, name)) ? [`category ${category} is not in acat`] : [];
  });
}

/** "IAB7-1" is under "IAB7". */
function isUnder(category: string, name: string): boolean {
  const [own, other] = [category.toUpperCase(), name.toUpperCase()];
  return own === other || own.startsWith(`${other}-`);
}

function judgeAttributes({ media, bid }: Offer): string[] {
  const blocked = wholesOf(media['battr']);
  return wholesOf(bid['attr'])
    .filter((attribute) => blocked.includes(attribute))
    .map((attribute) => `attribute ${attribute} is in battr`);
}

function judgeBundle({ request, bid }: Offer): string[] {
  const bundle = textOf(bid['bundle']);
  return bundle !== '' && textsOf(request['bapp']).includes(bundle) ? [`${bundle} is in bapp`] : [];
}

function judgeLanguage({ request, bid }: Offer): string[] {
  const language = textOf(bid['language']).toLowerCase();
  const wanted = textsOf(request['wlang']).map((code) => code.toLowerCase());
  return language !== '' && wanted.length > 0 && !wanted.includes(language) ? [`language ${language} is none of wlang`] : [];
}
