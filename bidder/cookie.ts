import { randomBytes } from 'node:crypto';

/** Our id of a browser, `wid`: 16 random bytes in base64url, which say nothing about anybody. */

const NAME = 'wid';
const FOUND = new RegExp(`(?:^|;\\s*)${NAME}=([A-Za-z0-9_-]{22})(?:;|$)`);
/** Thirteen months, the longest that regulators take for fresh. */
const MAX_AGE_S = 395 * 86_400;

/** The id that a Cookie header brings, or null. */
export function readCookie(header: string | undefined): string | null {
  return header === undefined ? null : (FOUND.exec(header)?.[1] ?? null);
}

export function newCookie(): string {
  return randomBytes(16).toString('base64url');
}

/** A Set-Cookie header. Pixels are loaded from other sites' pages, so it must be sent across sites, which browsers allow if secure. */
export function setCookie(id: string): string {
  return `${NAME}=${id}; Max-Age=${MAX_AGE_S}; Path=/; Secure; HttpOnly; SameSite=None`;
}
