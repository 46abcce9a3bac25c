import type { Preset } from '../preset.ts';

export const index: Preset = {
  title: 'Index Exchange',
  notes: [
    'Usually less than 100 ms; HTTP/1.1, keep-alive, gzip, Content-Length, OpenRTB 2.6.',
    'The price macro stands in the markup: the impression in it bills.',
    'A latency test for each region; few queries first, all after one or two weeks.',
  ],
  settings: { defaultTmax: 100, networkAllowance: 15, billing: 'pixel', requiredFields: ['adm', 'adomain', 'crid', 'seat'] },
};
