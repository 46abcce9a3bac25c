import type { Fault } from '../problem.ts';

export interface Seller {
  readonly id: string;
  readonly type: 'PUBLISHER' | 'INTERMEDIARY' | 'BOTH';
  /** Lower case; null where the seller is confidential. */
  readonly domain: string | null;
}

/** A sellers.json as it is kept. */
export interface SellersJson {
  readonly sellers: readonly Seller[];
}

const TYPES: readonly string[] = ['PUBLISHER', 'INTERMEDIARY', 'BOTH'];

/**
 * Reads sellers.json 1.0 (IAB Tech Lab). Null where it is no such file. A seller that cannot be read is a fault, and the others
 * count; of two with one id the later does.
 */
export function parseSellersJson(value: unknown): (SellersJson & { readonly faults: readonly Fault[] }) | null {
  if (!isObject(value) || !Array.isArray(value['sellers'])) return null;
  const sellers = new Map<string, Seller>();
  const faults: Fault[] = [];
  for (const [at, item] of value['sellers'].entries()) {
    const seller = sellerOf(item);
    if (typeof seller === 'string')
      faults.push({ pointer: `/sellers/${at}${seller}`, code: 'bad_seller', message: 'is missing or not readable' });
    else sellers.set(seller.id, seller);
  }
  return { sellers: [...sellers.values()], faults };
}

/** A seller, or a pointer to what makes it none. */
function sellerOf(item: unknown): Seller | string {
  if (!isObject(item)) return '';
  const { seller_id, seller_type, domain } = item;
  const id = typeof seller_id === 'number' ? String(seller_id) : seller_id;
  if (typeof id !== 'string' || !/^\S{1,200}$/.test(id)) return '/seller_id';
  const type = typeof seller_type === 'string' ? seller_type.toUpperCase() : '';
  if (!TYPES.includes(type)) return '/seller_type';
  return { id, type: type as Seller['type'], domain: typeof domain === 'string' && domain !== '' ? domain.toLowerCase() : null };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
