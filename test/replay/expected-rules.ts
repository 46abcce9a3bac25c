import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';

/**
 * The people of ten-rules.ts straight from the CSV files, sharing no code with Walkin: for each household its lines, for each rule one look.
 * `node --import tsx test/replay/expected-rules.ts <folder>` prints how many they are.
 */
export async function expectedRules(folder: string): Promise<Record<string, string[]>> {
  const read = async (name: string): Promise<Record<string, string>[]> =>
    parse(await readFile(`${folder}/completejourney/${name}.csv`), { columns: true, bom: true });
  const products = new Map((await read('products')).map((row) => [row['product_id'], row]));
  const households = new Map<string, Line[]>();
  for (const row of await read('transactions_sample')) {
    const product = products.get(row['product_id'] as string);
    const time = new Date(row['transaction_timestamp'] as string);
    const own = households.get(row['household_id'] as string) ?? [];
    households.set(row['household_id'] as string, own);
    own.push({
      receipt: row['basket_id'] as string,
      store: row['store_id'] as string,
      product: row['product_id'] as string,
      category: product?.['product_category'] ?? '',
      brand: product?.['brand'] ?? '',
      quantity: Number(row['quantity']),
      micros: Math.round(Number(row['sales_value']) * 1e6),
      time: time.getTime(),
      day: time.toISOString().slice(0, 10),
      hour: time.getUTCHours(),
      isWeekend: [0, 6].includes(time.getUTCDay()),
    });
  }
  const couponers = new Set((await read('coupon_redemptions')).map((row) => row['household_id'] as string));
  const old = (await read('demographics')).filter((row) => row['age'] === '65+').map((row) => row['household_id'] as string);
  const who = (holds: (lines: readonly Line[]) => boolean): string[] =>
    [...households].flatMap(([household, lines]) => (holds(lines) ? [household] : []));
  return {
    drinkers: who((lines) => count(lines.filter(isOf('SOFT DRINKS')), 'receipt') >= 2),
    bigBaskets: who((lines) => {
      const half = lines.filter(isFirstHalf);
      return half.length > 0 && total(half) / count(half, 'receipt') >= 5e6;
    }),
    wanderers: who((lines) => count(lines, 'product') >= 30 && count(lines, 'store') >= 2),
    weekendEvenings: who((lines) => {
      const evenings = lines.filter(({ isWeekend, hour }) => isWeekend && hour >= 17 && hour < 21);
      return count(evenings, 'receipt') >= 3;
    }),
    breakfast: who((lines) =>
      lines.some((line) => {
        const basket = lines.filter(({ receipt }) => receipt === line.receipt);
        return (
          isOf('FLUID MILK PRODUCTS')(line) && basket.some(isOf('BAKED BREAD/BUNS/ROLLS')) && !basket.some(isOf('BEERS/ALES'))
        );
      }),
    ),
    lapsed: who((lines) => lines.some(isFirstHalf) && !lines.some(({ day }) => day.startsWith('2017-12'))),
    dear: who((lines) => {
      const dear = lines.filter(({ micros, quantity }) => micros / (quantity > 0 ? quantity : 1) >= 10e6);
      return dear.reduce((sum, { quantity }) => sum + quantity, 0) >= 3;
    }),
    oldCouponers: old.filter((household) => couponers.has(household)),
    privateBrand: who((lines) => {
      const year = lines.filter(({ day }) => day.startsWith('2017'));
      return total(year) >= 50e6 && total(year.filter(({ brand }) => brand === 'Private')) / total(year) >= 0.5;
    }),
    snackers: who((lines) => {
      const year = lines.filter(({ day }) => day.startsWith('2017'));
      const snacks = year.filter(isOf('BAG SNACKS'));
      return year
        .filter(isOf('SOFT DRINKS'))
        .some(({ time }) => snacks.some((snack) => snack.time > time && snack.time <= time + WEEK));
    }),
  };
}

interface Line {
  readonly receipt: string;
  readonly store: string;
  readonly product: string;
  readonly category: string;
  readonly brand: string;
  readonly quantity: number;
  readonly micros: number;
  readonly time: number;
  readonly day: string;
  readonly hour: number;
  readonly isWeekend: boolean;
}

const WEEK = 7 * 86_400_000;

const isOf =
  (category: string) =>
  (line: Line): boolean =>
    line.category === category;
const isFirstHalf = ({ day }: Line): boolean => day >= '2017-01-01' && day <= '2017-06-30';
const count = (lines: readonly Line[], member: 'receipt' | 'product' | 'store'): number =>
  new Set(lines.map((line) => line[member])).size;
const total = (lines: readonly Line[]): number => lines.reduce((sum, { micros }) => sum + micros, 0);

if (process.argv[1]?.endsWith('expected-rules.ts')) {
  const expected = await expectedRules(process.argv[2] ?? '../shared/data');
  console.log(JSON.stringify(Object.fromEntries(Object.entries(expected).map(([name, people]) => [name, people.length]))));
}
