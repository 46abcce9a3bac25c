/**
 * The us_privacy string (IAB CCPA framework v1): version, notice, opted out of sale, LSPA. `none`: there is no string, or it says
 * that the law does not apply. What cannot be read is a refusal.
 */
export type UsPrivacy = 'none' | 'allowed' | 'opted_out' | 'unreadable';

const STRING = /^1[YN-]([YN-])[YN-]$/i;

export function readUsPrivacy(text: string): UsPrivacy {
  if (text === '' || text === '1---') return 'none';
  const optedOut = STRING.exec(text)?.[1];
  if (optedOut === undefined) return 'unreadable';
  return optedOut.toUpperCase() === 'Y' ? 'opted_out' : 'allowed';
}
