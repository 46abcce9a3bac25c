import { referencesOf } from '../dmp/segments/check.ts';
import type { Things } from '../dmp/things/things.ts';

/** Segments so that each comes after those that its rule needs; with `wanted` only these and what they need. */
export function evaluationOrder(things: Things, wanted?: readonly string[]): string[] {
  const order: string[] = [];
  const met = new Set<string>();
  const visit = (id: string): void => {
    const segment = things.get('segment', id);
    if (segment === undefined || met.has(id)) return;
    met.add(id);
    referencesOf(segment.body.rule).forEach(visit);
    order.push(id);
  };
  (wanted ?? things.list('segment').map(({ id }) => id)).forEach(visit);
  return order;
}
