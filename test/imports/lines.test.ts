import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Batch, readBatches } from '../../dmp/imports/batches.ts';
import type { Mapping } from '../../dmp/imports/mapping.ts';
import { temporaryFolder } from '../support/folder.ts';

const NOW = Date.UTC(2026, 10, 22);
const COLUMNS = ['id', 'line', 'at', 'store', 'product', 'category', 'department', 'brand', 'quantity', 'amount', 'currency'];
const MAPPING: Mapping = {
  columns: Object.fromEntries(COLUMNS.map((name) => [name, name])),
  identifiers: [{ kind: 'loyalty', column: 'who' }],
};

async function read(path: string, mapping: Mapping): Promise<Batch[]> {
  const file = {
    path,
    input: { type: 'purchase', format: 'csv', mapping } as const,
    zone: 'Europe/Moscow',
    pepper: 'pepper',
    now: NOW,
  };
  const batches: Batch[] = [];
  for await (const batch of readBatches({ ...file, import: 'imp', source: 's', currency: 'EUR', skip: 0, size: 7 }))
    batches.push(batch);
  return batches;
}

/** What is stored, whichever way it was written. */
function stored(batches: readonly Batch[]) {
  const lines = (table: string) =>
    batches.flatMap(({ tables }) =>
      tables.filter((one) => one.table === table).flatMap(({ text }) => Buffer.from(text).toString().split('\n').slice(0, -1)),
    );
  const purchases = lines('purchases').map((line) => {
    const cells = line.split('\t').slice(0, -1);
    const at = cells[3] ?? '';
    cells[3] = String(at.includes('-') ? Date.parse(`${at.replace(' ', 'T')}Z`) : Math.round(Number(at) * 1000));
    cells[10] = Number(cells[10]).toFixed(3);
    return cells.join('\t');
  });
  const people = new Set(lines('edges').map((line) => line.split('\t').slice(0, 5).join('\t')));
  const results = batches.map(({ results: text }) => Buffer.from(text).toString()).join('');
  return { purchases: purchases.sort(), people: [...people].sort(), results, refused: lines('quarantine').length };
}

const word = fc.oneof(
  fc.constantFrom('', 'a', ' b ', 'кефир', '🥛', 'x\ty', '\\N', 'null', '=cmd', `long${'g'.repeat(130)}`),
  fc.string({ maxLength: 4 }),
);
const row = fc.record({
  id: fc.oneof(fc.constantFrom('r1', 'r2'), word),
  line: word,
  at: fc.constantFrom(
    '2026-01-28T19:06:53Z',
    '2026-02-30T00:00:00Z',
    '2026-01-28T24:00:00Z',
    '2026-01-28',
    '1769000000000',
    '1769-01-01T00:00:00Z',
    '2026-03-01 10:00',
    'x',
    '',
  ),
  store: word,
  product: word,
  category: word,
  department: word,
  brand: word,
  quantity: fc.constantFrom('', '1', '-2', '0.125', '0.12345', '1e3', 'many', '1000000000000000'),
  amount: fc.constantFrom('1.25', '-0.1', '0.0000015', '1e309', '1.234,56', '', '4.440892e-16', '999999999.999999'),
  currency: fc.constantFrom('', 'USD', 'usd', 'EURO'),
  who: fc.constantFrom('7001', '7002', '0', 'null', '', ' 7001 '),
});

test('the short way and the long way of a receipt line give the same rows, results and refusals', async () => {
  const path = join(temporaryFolder(), 'lines.csv');
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 20 }), async (rows) => {
      const names = [...COLUMNS, 'who', 'op'];
      const text = rows.map((cells) =>
        [...COLUMNS, 'who'].map((name) => `"${String(cells[name as keyof typeof cells]).replaceAll('"', '""')}"`).join(','),
      );
      writeFileSync(path, [names.join(','), ...text.map((line) => `${line},take`)].join('\n'));
      const short = stored(await read(path, MAPPING));
      // A mapping that could skip rows goes the long way.
      const long = stored(await read(path, { ...MAPPING, only: { column: 'op', values: ['take'] } }));
      expect(short).toEqual(long);
    }),
    { numRuns: 300 },
  );
});

test('plain lines do go the short way', async () => {
  const path = join(temporaryFolder(), 'plain.csv');
  writeFileSync(path, `${[...COLUMNS, 'who'].join(',')}\nr1,,2026-01-28T19:06:53Z,s,milk,,,,2,1.25,,7001\n`);
  const [batch] = await read(path, MAPPING);
  // Only that way writes times as seconds.
  expect(Buffer.from(batch?.tables.find(({ table }) => table === 'purchases')?.text ?? []).toString()).toMatch(
    /\t1769627213\.000\t/,
  );
});
