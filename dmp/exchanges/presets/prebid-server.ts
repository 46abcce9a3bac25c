import type { Preset } from '../preset.ts';

export const prebidServer: Preset = {
  title: 'Prebid Server',
  notes: [
    'Many adapters refuse a bid without mtype; the price is above 0, the currency is one of request.cur or the seat is dropped.',
    'Markup with http: and without https may be rejected.',
  ],
  settings: { billing: 'burl', defaultAuction: 1, requiredFields: ['adm', 'adomain', 'crid', 'mtype'] },
};
