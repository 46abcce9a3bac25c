import type { LiveExchange, LiveLineItem, LiveSupply } from '../../proto/snapshot.ts';
import type { Things } from '../things/things.ts';

/** What the bidders need of the imported ads.txt and sellers.json files; nothing where no rule asks for them. */
export function liveSupply(
  things: Things,
  exchanges: readonly LiveExchange[],
  lineItems: readonly LiveLineItem[],
): { readonly supply?: LiveSupply } {
  const asks = (rule: LiveExchange['supply'] | null): boolean => rule?.authorizedOnly === true;
  if (!exchanges.some(({ supply }) => asks(supply)) && !lineItems.some(({ targeting }) => asks(targeting.supply))) return {};
  const adsTxt = things
    .list('ads-txt')
    .map(({ id, body }) => [id, body.records.map(({ system, account }) => `${system}/${account}`).join('\n')]);
  const sellers = things
    .list('sellers-json')
    .map(({ id, body }) => [id, body.sellers.map((seller) => `${seller.type.charAt(0)}${seller.id}`).join('\n')]);
  return { supply: { adsTxt: Object.fromEntries(adsTxt), sellers: Object.fromEntries(sellers) } };
}
