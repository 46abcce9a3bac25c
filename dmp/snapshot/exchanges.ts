import type { LiveExchange } from '../../proto/snapshot.ts';
import { type Exchange, type PriceKeys, settingsOf } from '../exchanges/exchange.ts';
import type { Thing } from '../things/things.ts';

/** An exchange as the bidders need it. */
export function liveExchange({ id, body }: Thing<Exchange>): LiveExchange {
  const { name: _, preset: __, priceFormat, keys, ...settings } = settingsOf(body);
  return { id, ...settings, qps: null, maxAnswerBytes: null, signature: null, price: priceOf(priceFormat, keys) };
}

function priceOf(format: 'plain' | 'google', keys: PriceKeys | null): LiveExchange['price'] {
  return format === 'google' && keys !== null ? { kind: 'google', ...keys } : { kind: 'plain' };
}
