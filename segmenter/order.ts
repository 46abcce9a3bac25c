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

/** The same by depth: each part needs only those before it. With `wanted` only these. */
export function byDepth(things: Things, wanted?: readonly string[]): string[][] {
  const depths = new Map<string, number>();
  const parts: string[][] = [];
  const chosen = wanted === undefined ? null : new Set(wanted);
  for (const id of evaluationOrder(things, wanted)) {
    const rule = things.get('segment', id)?.body.rule;
    const depth = rule === undefined ? 0 : Math.max(-1, ...referencesOf(rule).map((one) => depths.get(one) ?? -1)) + 1;
    depths.set(id, depth);
    if (chosen !== null && !chosen.has(id)) continue;
    while (parts.length <= depth) parts.push([]);
    parts[depth]?.push(id);
  }
  return parts.filter((part) => part.length > 0);
}
