import type { Preset } from '../preset.ts';

/** As for Google, w and h are sent with what has a size. */
export const yandex: Preset = {
  title: 'Yandex SSP',
  notes: [
    'JSON by POST, the deadline is tmax; trackers by HTTPS only.',
    'Creatives are moderated by bidding with them: the loss reason tells how it stands.',
    'Advertising in Russia is labelled: bid.ext.nroa with the ERID and the advertiser.',
  ],
  settings: { billing: 'pixel', adLabel: true, requiredFields: ['adm', 'adomain', 'crid'] },
};
