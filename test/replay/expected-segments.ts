import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';

/**
 * The replay's three segments straight from the CSV files, sharing no code with Walkin: households as people, amounts as exact
 * decimals, days in UTC. `node --import tsx test/replay/expected-segments.ts <folder>` prints them.
 */
export async function expectedSegments(folder: string) {
  const products = await table(`${folder}/completejourney/products.csv`);
  const departments = new Map(products.map((row) => [row['product_id'], row['department']]));
  const categories = new Map(products.map((row) => [row['product_id'], row['product_category']]));
  const lines = await table(`${folder}/completejourney/transactions_sample.csv`);

  const spent = new Map<string, bigint>();
  const receipts = new Map<string, Set<string>>();
  for (const line of lines) {
    const household = line['household_id'] as string;
    const day = new Date(line['transaction_timestamp'] as string).toISOString().slice(0, 10);
    if (departments.get(line['product_id']) === 'GROCERY' && day >= '2017-07-03' && day <= '2017-09-30') {
      spent.set(household, (spent.get(household) ?? 0n) + exact(line['sales_value'] as string));
    }
    if (categories.get(line['product_id']) === 'SOFT DRINKS') {
      receipts.set(household, (receipts.get(household) ?? new Set()).add(line['basket_id'] as string));
    }
  }
  const redemptions = await table(`${folder}/completejourney/coupon_redemptions.csv`);
  return {
    grocery: [...spent].flatMap(([household, sum]) => (sum >= 20n * UNIT ? [household] : [])),
    softDrinks: [...receipts].flatMap(([household, set]) => (set.size >= 2 ? [household] : [])),
    coupon: [...new Set(redemptions.map((row) => row['household_id'] as string))],
    rows: lines.length,
  };
}

const UNIT = 10n ** 30n;

/** A decimal, also one like 4.440892e-16, in units of 10⁻³⁰. */
function exact(text: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text.trim());
  if (match === null) throw new Error(`not a number: ${text}`);
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const shift = 30 + Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  const value = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift);
  return sign === '-' ? -value : value;
}

async function table(file: string): Promise<Record<string, string>[]> {
  return parse(await readFile(file), { columns: true, bom: true }) as Record<string, string>[];
}

if (process.argv[1]?.endsWith('expected-segments.ts')) {
  const { grocery, softDrinks, coupon, rows } = await expectedSegments(process.argv[2] ?? '../shared/data');
  console.log(JSON.stringify({ rows, grocery: grocery.length, softDrinks: softDrinks.length, coupon: coupon.length }));
}
