import type { Preset } from '../preset.ts';

export const generic: Preset = {
  title: 'Any OpenRTB 2.x exchange',
  notes: ['Everything as in the specification: 204 for a no-bid, burl bills, plain prices.'],
  settings: {},
};
