import type { Purchases } from '../../../../dmp/segments/nodes/purchases.ts';
import {
  ages,
  BRANDS,
  CATEGORIES,
  DEPARTMENTS,
  type Fact,
  int,
  maybe,
  PRODUCTS,
  pick,
  places,
  type Random,
  range,
  SOURCES,
  some,
  times,
  window,
} from '../../segments-world.ts';
import { different, inWindow, isAged, isTimed, isWithin, measured, moneyIn, type Oracle, storesIn } from './leaf.ts';

type Goods = Pick<Purchases, 'products' | 'departments' | 'categories' | 'under' | 'brands'>;

const goods = (random: Random, chance: number): Goods => ({
  ...maybe(random, chance, { departments: some(random, DEPARTMENTS) }),
  ...maybe(random, chance, { categories: some(random, CATEGORIES) }),
  ...maybe(random, chance / 2, { under: some(random, ['Food', 'DAIRY', 'Food/Dairy'], 0.2) }),
  ...maybe(random, chance, { brands: some(random, BRANDS) }),
  ...maybe(random, chance, { products: some(random, PRODUCTS) }),
});

const baskets = (random: Random): Goods[] =>
  Array.from({ length: int(random, 1, 2) }, () => {
    const some = goods(random, 0.4);
    return Object.keys(some).length === 0 ? { products: [pick(random, PRODUCTS)] } : some;
  });

function isOf(fact: Fact, { products, departments, categories, under, brands }: Goods): boolean {
  return (
    (products?.includes(fact.product) ?? true) &&
    (departments?.includes(fact.department) ?? true) &&
    (categories?.includes(fact.category) ?? true) &&
    (brands?.includes(fact.brand) ?? true) &&
    (under?.some((path) =>
      [path, `${path}/`, `${path} > `].some((start, n) => (n === 0 ? fact.category === start : fact.category.startsWith(start))),
    ) ??
      true)
  );
}

export const purchases: Oracle<Purchases> = {
  weight: 4,
  random: (random) => ({
    ...maybe(random, 0.4, { count: range(random, 0, 5) }),
    ...maybe(random, 0.2, { sum: range(random, -6_000_000, 12_000_000) }),
    ...maybe(random, 0.1, { mean: range(random, -2_000_000, 5_000_000) }),
    ...maybe(random, 0.1, { smallest: range(random, -3_000_000, 5_000_000) }),
    ...maybe(random, 0.1, { largest: range(random, -1_000_000, 9_000_000) }),
    ...maybe(random, 0.1, { quantity: range(random, 0, 5) }),
    ...maybe(random, 0.05, { quantity: { min: 0.3, max: pick(random, [0.3, 0.6]) } }),
    ...maybe(random, 0.15, { days: range(random, 0, 4) }),
    ...maybe(random, 0.1, { distinctStores: range(random, 0, 3) }),
    ...maybe(random, 0.1, { distinctProducts: range(random, 0, 3) }),
    ...maybe(random, 0.1, { distinctBrands: range(random, 0, 2) }),
    ...ages(random),
    ...window(random),
    ...goods(random, 0.1),
    ...maybe(random, 0.1, { price: range(random, -2_000_000, 4_000_000) }),
    ...maybe(random, 0.15, { currency: pick(random, ['EUR', 'USD', 'RUB', 'XXX']) }),
    ...places(random),
    ...maybe(random, 0.12, { channel: pick(random, ['store', 'online'] as const) }),
    ...times(random),
    ...maybe(random, 0.15, { sources: some(random, SOURCES) }),
    ...maybe(random, 0.15, { with: baskets(random) }),
    ...maybe(random, 0.1, { without: baskets(random) }),
  }),
  holds: (body, { facts, world }) => {
    const currency = body.currency ?? world.currency;
    const lines = facts.filter(({ kind }) => kind === 'purchase');
    const stores = storesIn(body, world);
    const fits = lines.filter((line) => {
      const money = moneyIn(currency, line, world);
      const others = lines.filter(({ once }) => once === line.once);
      return (
        isOf(line, body) &&
        inWindow(line.at, body.window, world.now) &&
        (stores?.includes(line.place) ?? true) &&
        (body.price === undefined || (money !== null && isWithin(money / (line.quantity > 0 ? line.quantity : 1), body.price))) &&
        (body.channel === undefined || line.channel === body.channel) &&
        isTimed(line, body) &&
        (body.sources?.includes(line.source) ?? true) &&
        (body.with ?? []).every((basket) => others.some((other) => isOf(other, basket))) &&
        (body.without ?? []).every((basket) => !others.some((other) => isOf(other, basket)))
      );
    });
    const totals = new Map<number, number>();
    for (const line of fits) {
      const money = moneyIn(currency, line, world);
      if (money !== null) totals.set(line.once, (totals.get(line.once) ?? 0) + money);
    }
    const receipts = [...totals.values()];
    const sum = receipts.reduce((all, total) => all + total, 0);
    const ofAny = (value: number): number | null => (receipts.length === 0 ? null : value);
    const named = (values: readonly string[]): number => different(values.filter((value) => value !== ''));
    const { count, mean, smallest, largest, quantity, days, distinctStores, distinctProducts, distinctBrands, first, last } =
      body;
    const isMeasured = [
      count,
      body.sum,
      mean,
      smallest,
      largest,
      quantity,
      days,
      distinctStores,
      distinctProducts,
      distinctBrands,
    ].some((bounds) => bounds !== undefined);
    if (!isMeasured && first === undefined && last === undefined) return fits.length > 0;
    return (
      isAged(fits, body, world.now) &&
      measured(
        [
          [0, {}],
          [different(fits.map(({ once }) => once)), count],
          [sum, body.sum],
          [ofAny(sum / receipts.length), mean],
          [ofAny(Math.min(...receipts)), smallest],
          [ofAny(Math.max(...receipts)), largest],
          [fits.reduce((all, line) => all + Math.round(line.quantity * 1000), 0) / 1000, quantity],
          [different(fits.map(({ day }) => day)), days],
          [named(fits.map(({ place }) => place)), distinctStores],
          [named(fits.map(({ product }) => product)), distinctProducts],
          [named(fits.map(({ brand }) => brand)), distinctBrands],
        ],
        fits.length,
      )
    );
  },
};
