import type { Rule } from '../../dmp/segments/rule.ts';

const YEAR = { from: '2017-01-01', to: '2017-12-31' } as const;

/** Ten rules over the grocery data, one for each way of asking. `expected-rules.ts` counts the same people without Walkin. */
export const TEN_RULES = {
  /** On two or more receipts with soft drinks. */
  drinkers: { purchases: { count: { min: 2 }, categories: ['SOFT DRINKS'] } },
  /** A mean receipt of 5.00 or more, in the first half year. */
  bigBaskets: { purchases: { mean: { min: 5_000_000 }, window: { from: '2017-01-01', to: '2017-06-30' } } },
  /** Thirty or more different products from two or more stores. */
  wanderers: { purchases: { distinctProducts: { min: 30 }, distinctStores: { min: 2 } } },
  /** Three or more receipts on a Saturday or Sunday from 17:00 to 21:00. */
  weekendEvenings: { purchases: { count: { min: 3 }, weekdays: ['sat', 'sun'], hours: { from: 17, to: 21 } } },
  /** Milk and bread on one receipt, without beer on it. */
  breakfast: {
    purchases: {
      categories: ['FLUID MILK PRODUCTS'],
      with: [{ categories: ['BAKED BREAD/BUNS/ROLLS'] }],
      without: [{ categories: ['BEERS/ALES'] }],
    },
  },
  /** Bought in the first half year and not in December. */
  lapsed: {
    all: [
      { purchases: { window: { from: '2017-01-01', to: '2017-06-30' } } },
      { not: { purchases: { window: { from: '2017-12-01', to: '2017-12-31' } } } },
    ],
  },
  /** Three or more units at 10.00 or more each. */
  dear: { purchases: { price: { min: 10_000_000 }, quantity: { min: 3 } } },
  /** Said to be 65 or older, and redeemed a coupon. */
  oldCouponers: { all: [{ attribute: { name: 'age', in: ['65+'] } }, { redemptions: { count: { min: 1 } } }] },
  /** Half of the money or more on private brands, of 50.00 or more. */
  privateBrand: { share: { of: { bought: { brands: ['Private'] } }, share: { min: 0.5 }, least: 50_000_000, window: YEAR } },
  /** Soft drinks, and within a week snacks. */
  snackers: {
    sequence: {
      steps: [{ bought: { categories: ['SOFT DRINKS'] } }, { bought: { categories: ['BAG SNACKS'] }, within: { days: 7 } }],
      window: YEAR,
    },
  },
} as const satisfies Readonly<Record<string, Rule>>;
