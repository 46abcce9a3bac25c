import { createHash, timingSafeEqual } from 'node:crypto';
import type { LiveExchange } from '../proto/snapshot.ts';

/**
 * Whether a call of `/openrtb2/<exchange>?token=…` comes from who knows the exchange's token. Pure. A wrong or missing token is
 * to be answered as an exchange that does not exist, 404 without content: so nobody learns by trying which exchanges there are.
 */
export function isTokenOf({ tokenHash }: Pick<LiveExchange, 'tokenHash'>, token: unknown): boolean {
  if (tokenHash === null) return true;
  if (typeof token !== 'string') return false;
  const expected = Buffer.from(tokenHash, 'hex');
  const given = createHash('sha256').update(token).digest();
  return given.length === expected.length && timingSafeEqual(given, expected);
}
