import type { Rfm } from '../../../../dmp/segments/nodes/rfm.ts';
import { int, maybe, range, window } from '../../segments-world.ts';
import { bought, isEvent } from './event.ts';
import { different, inWindow, isWithin, moneyIn, type Oracle, type Unit } from './leaf.ts';

export const rfm: Oracle<Rfm> = {
  random: (random) => ({
    ...(random() < 0.8 ? { recency: range(random, 1, 5) } : { total: range(random, 3, 15) }),
    ...maybe(random, 0.4, { frequency: range(random, 1, 5) }),
    ...maybe(random, 0.4, { monetary: range(random, 1, 5) }),
    ...maybe(random, 0.4, { groups: int(random, 2, 11) }),
    ...maybe(random, 0.4, { bought: bought(random) }),
    ...window(random),
  }),
  holds: (body, unit) => {
    const own = valuesOf(body, unit);
    if (own === null) return false;
    const all = unit.everybody.flatMap((other) => [valuesOf(body, other) ?? []]).filter((values) => values.length > 0);
    const { groups = 5 } = body;
    const groupBy = (n: number): number => {
      const sorted = all.map((values) => values[n] as number).sort((a, b) => a - b);
      // Each group begins at the one of this place in the order.
      const starts = Array.from(
        { length: groups - 1 },
        (_, k) => sorted[Math.floor(((k + 1) / groups) * sorted.length)] as number,
      );
      return 1 + starts.filter((start) => (own[n] as number) >= start).length;
    };
    const [recency, frequency, monetary] = [groupBy(0), groupBy(1), groupBy(2)];
    return (
      isWithin(recency, body.recency) &&
      isWithin(frequency, body.frequency) &&
      isWithin(monetary, body.monetary) &&
      isWithin(recency + frequency + monetary, body.total)
    );
  },
};

/** When somebody bought last, how often and for how much; null: never. */
function valuesOf(body: Rfm, { facts, world }: Unit): readonly number[] | null {
  const event = { bought: body.bought ?? {} };
  const lines = facts.filter((fact) => isEvent(fact, event, world) && inWindow(fact.at, body.window, world.now));
  if (lines.length === 0) return null;
  const money = lines.reduce((sum, line) => sum + (moneyIn(world.currency, line, world) ?? 0), 0);
  return [Math.max(...lines.map(({ at }) => at)), different(lines.map(({ once }) => once)), money];
}
