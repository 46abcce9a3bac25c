import { isObject, type JsonObject, objectOf, type Quirks, textOf, textsOf } from './fields.ts';
import type { Inventory } from './request.ts';

const KINDS = ['site', 'app', 'dooh'] as const;
const NOWHERE: JsonObject = Object.freeze({});

/** Where the ad would be shown; null where the request names more than one kind of place. */
export function inventoryOf(wire: JsonObject, quirks: Quirks): Inventory | null {
  const kinds = KINDS.filter((kind) => isObject(wire[kind]));
  if (kinds.length > 1) {
    quirks.add('inventory_twice');
    return null;
  }
  const kind = kinds[0] ?? 'unknown';
  if (kind === 'unknown') quirks.add('inventory_missing');
  const place = kind === 'unknown' ? NOWHERE : (wire[kind] as JsonObject);
  const page = textOf(place['page'], quirks);
  return {
    kind,
    id: textOf(place['id'], quirks),
    domain: textOf(place['domain'], quirks).trim().toLowerCase() || hostOf(page),
    bundle: textOf(place['bundle'], quirks),
    page,
    publisher: textOf(objectOf(place['publisher'], quirks)['id'], quirks),
    categories: textsOf(place['cat'], quirks),
    contentLanguage: '',
  };
}

function hostOf(page: string): string {
  return page !== '' && URL.canParse(page) ? new URL(page).hostname : '';
}
