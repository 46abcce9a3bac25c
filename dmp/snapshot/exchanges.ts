import type { LiveExchange } from '../../proto/snapshot.ts';
import { type Exchange, type PriceKeys, settingsOf } from '../exchanges/exchange.ts';
import type { Thing } from '../things/things.ts';

/** An exchange as the bidders need it. */
export function liveExchange({ id, body }: Thing<Exchange>): LiveExchange {
  const { name: _, preset: __, priceFormat, keys, signatureHeader: header, signing: secret, ...settings } = settingsOf(body);
  const signature = header === null || secret === null ? null : { header, secret };
  return { id, ...settings, signature, price: priceOf(priceFormat, keys) };
}

function priceOf(format: 'plain' | 'b64' | 'google', keys: PriceKeys | null): LiveExchange['price'] {
  if (format === 'b64') return { kind: 'b64' };
  return format === 'google' && keys !== null ? { kind: 'google', ...keys } : { kind: 'plain' };
}
