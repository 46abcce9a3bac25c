import type { Redemptions } from '../../../../dmp/segments/nodes/redemptions.ts';
import { maybe, some } from '../../segments-world.ts';
import { counted, holdsOf } from './counted.ts';
import type { Oracle } from './leaf.ts';

export const redemptions: Oracle<Redemptions> = {
  random: (random) => ({
    ...counted(random),
    ...maybe(random, 0.3, { coupons: some(random, ['c1', 'c2']) }),
    ...maybe(random, 0.3, { promotions: some(random, ['p1', 'p2']) }),
  }),
  holds: (body, unit) =>
    holdsOf(
      body,
      unit,
      ({ kind, item, name }) =>
        kind === 'redemption' && (body.coupons?.includes(item) ?? true) && (body.promotions?.includes(name) ?? true),
    ),
};
