import type { Preset } from '../preset.ts';

export const xandr: Preset = {
  title: 'Xandr (Microsoft)',
  notes: [
    'About 100 ms for most sellers; OpenRTB 2.4 JSON over kept-alive connections.',
    'Notifies from its servers, and may say pending or lost before won: the later win holds.',
    'Several bids in an answer are welcome; slow bidders are throttled by a percentage.',
  ],
  settings: { defaultTmax: 100, billing: 'nurl', bidsPerImp: 3, requiredFields: ['adm', 'adomain', 'crid'] },
};
