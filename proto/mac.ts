/** What a MAC address is, by the first octet (IEEE 802): only a universal, unicast one belongs to one device for good. */
export type Mac =
  | { readonly kind: 'universal' /** 12 hex digits, lower case */; readonly address: string }
  | { readonly kind: 'randomised' | 'multicast' | 'unreadable' };

const SEPARATORS = /[:.\-\s]/g;
const DIGITS = /^[0-9a-f]{12}$/;
const MULTICAST = 0x01;
const LOCAL = 0x02;

/**
 * Reads a MAC address in any of the usual forms. Locally administered ones are made up by devices, mostly anew in each place:
 * they may be counted, and are never anybody's identifier.
 */
export function macOf(value: string): Mac {
  const address = value.replace(SEPARATORS, '').toLowerCase();
  if (!DIGITS.test(address) || address === '000000000000') return { kind: 'unreadable' };
  const first = Number.parseInt(address.slice(0, 2), 16);
  if ((first & MULTICAST) !== 0) return { kind: 'multicast' };
  return (first & LOCAL) !== 0 ? { kind: 'randomised' } : { kind: 'universal', address };
}
