import type { Actions } from '../../../../dmp/segments/nodes/actions.ts';
import { maybe, places, some } from '../../segments-world.ts';
import { counted, holdsOf } from './counted.ts';
import { type Oracle, storesIn } from './leaf.ts';

export const actions: Oracle<Actions> = {
  random: (random) => ({
    ...counted(random),
    ...places(random),
    ...maybe(random, 0.3, { names: some(random, ['survey', 'app_opened']) }),
    ...maybe(random, 0.2, { items: some(random, ['', 'q1']) }),
    ...maybe(random, 0.2, { values: some(random, ['', 'yes', 'no']) }),
  }),
  holds: (body, unit) => {
    const stores = storesIn(body, unit.world);
    return holdsOf(
      body,
      unit,
      ({ kind, name, item, value, place }) =>
        kind === 'action' &&
        (body.names?.includes(name) ?? true) &&
        (body.items?.includes(item) ?? true) &&
        (body.values?.includes(value) ?? true) &&
        (stores?.includes(place) ?? true),
    );
  },
};
