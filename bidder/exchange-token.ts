import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
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

/** Headers of a call; names in lower case. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Whether the body, as it came off the wire, bears the exchange's signature: lower-case hex HMAC-SHA256 in its header. Where one is
 * asked for it must be there, beside a token or without. Pure. A wrong one is answered as a wrong token is.
 */
export function isSignedBy({ signature }: Pick<LiveExchange, 'signature'>, body: Buffer, headers: Headers): boolean {
  if (signature === null) return true;
  const given = headers[signature.header];
  if (typeof given !== 'string' || !SIGNATURE.test(given)) return false;
  const expected = createHmac('sha256', signature.secret).update(body).digest();
  return timingSafeEqual(Buffer.from(given, 'hex'), expected);
}

const SIGNATURE = /^[0-9a-f]{64}$/;
