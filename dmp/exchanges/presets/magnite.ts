import type { Preset } from '../preset.ts';

export const magnite: Preset = {
  title: 'Magnite',
  notes: [
    'OpenRTB 2.2 to 2.5 JSON, gzip accepted; the deadline is tmax.',
    'Any optional field may be there or not.',
    'Video is billed on the VAST impression.',
  ],
  settings: { billing: 'vast', requiredFields: ['adm', 'adomain', 'crid'] },
};
