import type { Rule } from '../../dmp/segments/rule.ts';

type Draw = (below: number) => number;

/** What the bench's people do, by name: rules and rows agree on it. */
export const NAMES = { stores: 300, departments: 20, categories: 200, brands: 100, products: 5_000, campaigns: 20 } as const;

/** Mixed rules over all kinds of nodes: a third of them groups of two to five. The same for the same draw. */
export function mixedRules(count: number, draw: Draw): Rule[] {
  return Array.from({ length: count }, (_, n) => {
    if (n % 3 !== 0) return leaf(n, draw);
    const parts = Array.from({ length: 2 + draw(4) }, (_, m) =>
      m > 0 && draw(4) === 0 ? { not: leaf(draw(1_000), draw) } : leaf(draw(1_000), draw),
    );
    return draw(3) === 0 ? { any: parts } : { all: parts };
  });
}

function leaf(n: number, draw: Draw): Rule {
  const days = (): { readonly days: number } => ({ days: [7, 14, 30, 60, 90, 180][draw(6)] as number });
  const some = (kind: string, of: number, most = 4): string[] => [
    ...new Set(Array.from({ length: 1 + draw(most) }, () => `${kind}${draw(of)}`)),
  ];
  const stores = (): string[] => some('st_', NAMES.stores, 6);
  const categories = (): string[] => some('c', NAMES.categories, 5);
  const leaves: readonly (() => Rule)[] = [
    () => ({ purchases: { count: { min: 1 + draw(4) }, window: days() } }),
    () => ({
      purchases: { sum: { min: (1 + draw(30)) * 1_000_000 }, departments: some('d', NAMES.departments), window: days() },
    }),
    () => ({ purchases: { days: { min: 1 + draw(3) }, stores: stores() } }),
    () => ({ purchases: { brands: some('b', NAMES.brands), window: days() } }),
    () => ({ purchases: { distinctProducts: { min: 1 + draw(3) }, categories: categories(), window: days() } }),
    () => ({ purchases: { mean: { min: 4_000_000 }, weekdays: ['sat', 'sun'], hours: { from: 9, to: 14 } } }),
    () => ({ purchases: { last: { min: 30 + draw(60) } } }),
    () => ({ visits: { count: { min: 1 + draw(3) }, window: days() } }),
    () => ({ visits: { days: { min: 1 }, stores: stores(), minDwellSeconds: 300, window: days() } }),
    () => ({ visits: { dwell: { min: 1_200 }, weekdays: ['mon', 'tue'], last: { max: 30 } } }),
    () => ({ redemptions: { count: { min: 1 }, promotions: some('p', 10), window: days() } }),
    () => ({ pages: { count: { min: 1 + draw(3) }, urlContains: `/c/${draw(50)}`, window: days() } }),
    () => ({ actions: { names: ['app_opened'], count: { min: 1 }, window: days() } }),
    () => ({ exposures: { count: { min: 1 + draw(3) }, campaigns: some('cmp_', NAMES.campaigns), window: days() } }),
    () => ({ attribute: { name: 'age', min: 20 + draw(20), max: 45 + draw(20) } }),
    () => ({ attribute: { name: 'city', in: some('city', 12) } }),
    () => ({
      share: { of: { bought: { brands: some('b', NAMES.brands) } }, among: { bought: {} }, share: { min: 0.3 }, window: days() },
    }),
    () => ({ trend: { of: { bought: {} }, days: 30, ratio: { max: 0.5 + draw(5) / 10 } } }),
    () => ({ sequence: { steps: [{ visited: {} }, { bought: {}, within: { days: 1 + draw(14) } }], window: days() } }),
    () => ({ rfm: { recency: { min: 3 + draw(2) }, monetary: { min: 3 } } }),
    () => ({ rhythm: { overdue: { min: 2 } } }),
    () => ({ showrooming: { visited: {}, within: { days: 14 }, window: { days: 90 } } }),
  ];
  // The costly kinds, which go through a person's facts in order, are a sixth of all as their place in the list says.
  return (leaves[n % leaves.length] as () => Rule)();
}
