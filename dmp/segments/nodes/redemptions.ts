import { among } from '../conditions.ts';
import { type Happening, happening } from '../happening.ts';
import { names } from '../members.ts';
import { anyOf, spaced } from '../words.ts';

const FIELDS = { coupons: names('coupons'), promotions: names('promotions of the coupons') };
export type Redemptions = Happening<typeof FIELDS>;

export const { event: redeemed, node: redemptions } = happening({
  says: 'Coupons that the person redeemed.',
  kind: 'redemption',
  fields: FIELDS,
  examples: [
    { count: { min: 1 }, promotions: ['p1'], window: { days: 90 } },
    { coupons: ['c1', 'c2'], last: { max: 14 } },
  ],
  where: ({ coupons, promotions }, { bound }) => [among('item', coupons, bound), among('name', promotions, bound)],
  words: ({ coupons, promotions }, language) => {
    const en = language === 'en';
    return spaced(
      en ? (coupons === undefined ? 'redeemed a coupon' : 'redeemed coupon') : 'использовали купон',
      coupons === undefined ? '' : anyOf(coupons, language),
      promotions === undefined ? '' : `${en ? 'of promotion' : 'акции'} ${anyOf(promotions, language)}`,
    );
  },
});
