import type { Preset } from '../preset.ts';

export const pubmatic: Preset = {
  title: 'PubMatic',
  notes: [
    '100 ms with the connection, below 75 ms in tests; tmax is not sent.',
    'Persistent HTTP/1.1, gzip; up to five bids.',
    'The seat is a number. An answer without the required fields is dropped.',
  ],
  settings: {
    defaultTmax: 100,
    networkAllowance: 25,
    billing: 'burl',
    bidsPerImp: 5,
    requiredFields: ['adomain', 'attr', 'cid', 'crid', 'iurl', 'seat'],
  },
};
