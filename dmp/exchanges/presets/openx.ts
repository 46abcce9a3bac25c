import type { Preset } from '../preset.ts';

export const openx: Preset = {
  title: 'OpenX',
  notes: [
    '125 ms with the network; timeouts lower the query rate.',
    'One seat bid; answers of at most 1 kB are advised, gzip spares a third.',
    'Losses are told by lurl.',
  ],
  settings: { defaultTmax: 125, networkAllowance: 20, billing: 'burl', requiredFields: ['adm', 'adomain', 'crid'] },
};
