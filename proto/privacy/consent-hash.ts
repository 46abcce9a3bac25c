import { createHash } from 'node:crypto';

/**
 * Tells which consent strings a decision was read from, without keeping them: the first 16 hex digits of the SHA-256 of the TCF, the
 * GPP and the us_privacy string, those that are there, one a line. Who has the strings can show that it was these. '' where there
 * are none.
 */
export function consentHash(strings: { readonly consent: string; readonly gpp: string; readonly usPrivacy: string }): string {
  const there = [strings.consent, strings.gpp, strings.usPrivacy].filter((text) => text !== '');
  return there.length === 0 ? '' : createHash('sha256').update(there.join('\n')).digest('hex').slice(0, 16);
}
