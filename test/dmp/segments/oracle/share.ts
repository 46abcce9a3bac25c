import type { Event } from '../../../../dmp/segments/events.ts';
import type { Share } from '../../../../dmp/segments/nodes/share.ts';
import { maybe, pick, window } from '../../segments-world.ts';
import { amountOf } from './amount.ts';
import { bought, isEvent, visited } from './event.ts';
import { inWindow, isWithin, type Oracle } from './leaf.ts';

export const share: Oracle<Share> = {
  random: (random) => {
    const ofPurchases = random() < 0.6;
    const event = (): Event => (ofPurchases ? { bought: bought(random) } : { visited: visited(random) });
    const by = pick(
      random,
      ofPurchases ? ([undefined, 'money', 'times', 'days'] as const) : ([undefined, 'times', 'days'] as const),
    );
    const inMoney = ofPurchases && (by === undefined || by === 'money');
    const [min = 0, max = 0] = [pick(random, [-0.5, 0, 0.25, 0.5, 0.75, 1]), pick(random, [0.3, 0.5, 0.75, 1, 1.5])];
    return {
      of: event(),
      share: random() < 0.6 ? { min } : max < min ? { max } : { min, max },
      ...maybe(random, 0.5, { among: event() }),
      ...(by === undefined ? {} : { by }),
      ...maybe(random, 0.3, { least: inMoney ? 3_000_000 : 3 }),
      ...window(random),
    };
  },
  holds: (body, { facts, world }) => {
    const [kind = 'bought'] = Object.keys(body.of);
    const among = body.among ?? { [kind]: {} };
    const whole = facts.filter((fact) => inWindow(fact.at, body.window, world.now) && isEvent(fact, among, world));
    const part = whole.filter((fact) => isEvent(fact, body.of, world));
    const all = amountOf(body.by, body.of, whole, world);
    if (all <= 0 || all < (body.least ?? 0)) return false;
    return isWithin(amountOf(body.by, body.of, part, world) / all, body.share);
  },
};
