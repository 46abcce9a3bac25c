import type { Pages } from '../../../../dmp/segments/nodes/pages.ts';
import { maybe, pick } from '../../segments-world.ts';
import { counted, holdsOf } from './counted.ts';
import type { Oracle } from './leaf.ts';

export const pages: Oracle<Pages> = {
  random: (random) => ({
    ...counted(random),
    ...maybe(random, 0.5, { urlContains: pick(random, ['shop', '%_', 'example', "'"]) }),
  }),
  holds: (body, unit) => holdsOf(body, unit, ({ kind, item }) => kind === 'page' && item.includes(body.urlContains ?? '')),
};
