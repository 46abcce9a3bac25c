import { RATES_ID } from '../rates/rates.ts';
import { maySeeSource } from '../sources/access.ts';
import type { Things } from '../things/things.ts';
import { currencyOf } from './advertiser-scope.ts';
import type { Named, NamedKind } from './node.ts';

/** What the rule of an advertiser's segment may name; null: of a shared one, which may name all there is. */
export function namedBy(things: Things, advertiser: string | null): Named {
  const currency = currencyOf(things, advertiser);
  return {
    has: (kind, id) => mayName(things, advertiser, kind, id),
    currency,
    hasRate: (other) =>
      other === currency || other === 'USD' || Object.hasOwn(things.get('rates', RATES_ID)?.body.perUsd ?? {}, other),
  };
}

function mayName(things: Things, advertiser: string | null, kind: NamedKind, id: string): boolean {
  if (kind === 'source') {
    const source = things.get('source', id);
    return source !== undefined && maySeeSource(source, advertiser);
  }
  const owner = things.get(kind, id)?.body.advertiser;
  return owner !== undefined && (advertiser === null || owner === null || owner === advertiser);
}
