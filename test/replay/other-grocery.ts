import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A small generator that gives the same numbers each time (Park and Miller). */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

const CATEGORIES = [
  ...['SOFT DRINKS', 'FLUID MILK PRODUCTS', 'BAKED BREAD/BUNS/ROLLS', 'BEERS/ALES', 'BAG SNACKS', 'PIES, "WARM"', 'ЧАЙ', ''],
];

/**
 * A folder of the kind of the real grocery data with other households, stores, products, receipts and prices: what is found in it cannot be
 * known beforehand. Only the words are the same that rules ask for.
 */
export async function otherGrocery(seed: number): Promise<string> {
  const draw = seeded(seed);
  const pick = <T>(values: readonly T[]): T => values[draw(values.length)] as T;
  const root = await mkdtemp(join(tmpdir(), 'walkin-grocery-'));
  await mkdir(join(root, 'completejourney'));
  const write = (name: string, lines: readonly string[]) =>
    writeFile(join(root, 'completejourney', `${name}.csv`), `${lines.join('\n')}\n`);

  const products = Array.from({ length: 70 }, (_, n) => ({ id: 5_000_000 + n * 13, price: 50 + draw(1_000) }));
  const quoted = (text: string): string => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  await write('products', [
    'product_id,manufacturer_id,department,brand,product_category,product_type,package_size',
    ...products.map(
      ({ id }) => `${id},1,${pick(['GROCERY', 'BAKERY'])},${pick(['National', 'Private'])},${quoted(pick(CATEGORIES))},x,`,
    ),
  ]);

  const households = Array.from({ length: 150 }, (_, n) => `h${900 + n * 7}`);
  const lines: string[] = [];
  let basket = 1;
  for (const household of households) {
    const receipts = 3 + draw(20);
    for (let n = 0; n < receipts; n++) {
      basket++;
      const at = new Date(Date.UTC(2017, 0, 1) + draw(365 * 24 * 60) * 60_000).toISOString().replace('.000', '');
      const bought = new Set(Array.from({ length: 1 + draw(6) }, () => pick(products)));
      const store = 7_000 + draw(5);
      for (const { id, price } of bought) {
        const quantity = 1 + draw(3);
        lines.push(
          `${household},${store},${basket},${id},${quantity},${((price * quantity) / 100).toFixed(2)},0.0,0.0,0.0,1,${at}`,
        );
      }
    }
  }
  // In no order, as the real ones.
  for (let n = lines.length - 1; n > 0; n--) {
    const other = draw(n + 1);
    [lines[n], lines[other]] = [lines[other] as string, lines[n] as string];
  }
  await write('transactions_sample', [
    'household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,coupon_disc,coupon_match_disc,week,transaction_timestamp',
    ...lines,
  ]);
  await write('coupon_redemptions', [
    'household_id,coupon_upc,campaign_id,redemption_date',
    ...households.filter(() => draw(3) === 0).map((household, n) => `${household},${10_000 + n},3,2017-05-0${1 + (n % 9)}`),
  ]);
  await write('demographics', [
    'household_id,age,income,home_ownership,marital_status,household_size,household_comp,kids_count',
    ...households.map((household) => `${household},${pick(['65+', '45-54', '25-34'])},x,,,1,x,0`),
  ]);
  return root;
}
