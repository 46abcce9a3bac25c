import { languageOf } from './device.ts';
import { amountOf, isAbsent, isObject, type JsonObject, objectOf, type Quirks, textOf, textsOf } from './fields.ts';
import type { Inventory } from './request.ts';

const NOWHERE: JsonObject = Object.freeze({});

/** Where the ad would be shown; null where the request names more than one kind of place. */
export function inventoryOf(wire: JsonObject, quirks: Quirks): Inventory | null {
  const { site, app, dooh } = wire;
  const places = (isObject(site) ? 1 : 0) + (isObject(app) ? 1 : 0) + (isObject(dooh) ? 1 : 0);
  if (places > 1) {
    quirks.add('inventory_twice');
    return null;
  }
  if (places === 0) quirks.add('inventory_missing');
  const place = isObject(site) ? site : isObject(app) ? app : isObject(dooh) ? dooh : NOWHERE;
  const kind = places === 0 ? 'unknown' : isObject(site) ? 'site' : isObject(app) ? 'app' : 'dooh';
  const content = objectOf(place['content'], quirks);
  const page = textOf(place['page'], quirks);
  return {
    kind,
    id: textOf(place['id'], quirks),
    domain: textOf(place['domain'], quirks).trim().toLowerCase() || hostOf(page),
    bundle: textOf(place['bundle'], quirks),
    page,
    publisher: textOf(objectOf(place['publisher'], quirks)['id'], quirks),
    categories: categoriesOf(place, content, quirks),
    contentLanguage: languageOf(content, quirks),
  };
}

const NO_CATEGORIES: readonly string[] = Object.freeze([]);

/** Of the place, its section and its page, and of what it shows. */
function categoriesOf(place: JsonObject, content: JsonObject, quirks: Quirks): readonly string[] {
  const listed: string[] = [];
  if (isOfContent(place, quirks)) {
    pushCategories(listed, place['cat'], quirks);
    pushCategories(listed, place['sectioncat'], quirks);
    pushCategories(listed, place['pagecat'], quirks);
  }
  if (isOfContent(content, quirks)) pushCategories(listed, content['cat'], quirks);
  return listed.length === 0 ? NO_CATEGORIES : listed;
}

function pushCategories(listed: string[], value: unknown, quirks: Quirks): void {
  if (isAbsent(value)) return;
  for (const text of textsOf(value, quirks)) {
    const category = text.trim().toUpperCase();
    if (category !== '' && !listed.includes(category)) listed.push(category);
  }
}

/** Taxonomies of products. */
const PRODUCTS = [3, 4];
/** From here on each is its sender's own. */
const OWN_TAXONOMIES = 500;

/** Categories of products, or of a taxonomy that is the sender's own, bear the same numbers for other things: not taken. */
function isOfContent(part: JsonObject, quirks: Quirks): boolean {
  if (isAbsent(part['cattax'])) return true;
  const taxonomy = amountOf(part['cattax'], quirks);
  return taxonomy < OWN_TAXONOMIES && !PRODUCTS.includes(taxonomy);
}

/** A host that is its own normal form: no number, which may stand for an address, and no punycode, which may be wrong. */
const PLAIN_HOST = /^https?:\/\/((?:(?!xn--)[a-z][a-z\d-]*\.)+[a-z]{2,})(?:[/?#]|$)/;

function hostOf(page: string): string {
  const plain = page === '' ? null : PLAIN_HOST.exec(page);
  if (plain !== null) return plain[1] as string;
  return page !== '' && URL.canParse(page) ? new URL(page).hostname : '';
}
