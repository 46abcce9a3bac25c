import type { Preset } from '../preset.ts';

/** Its sample answers hold w and h for banners; they are not required here, since a native bid has none. */
export const google: Preset = {
  title: 'Google Authorized Buyers',
  notes: [
    'tmax is 80 to 1000 ms by format and auction; 85 % of answers must arrive in time, late ones lower the query rate.',
    'A no-bid is a 204 without a body, never compressed.',
    'One address for each trading location: N. Virginia, San Francisco Bay, Amsterdam, Singapore.',
    'Billing by bid.burl rather than by pixels; nurl and lurl may repeat.',
    'Prices are encrypted: give priceKeys, the encryption and the integrity key of the account.',
  ],
  settings: {
    defaultTmax: 100,
    networkAllowance: 20,
    billing: 'burl',
    priceFormat: 'google',
    requiredFields: ['adm', 'adomain', 'cid', 'crid'],
  },
};
