import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parse } from 'csv-parse/sync';
import { expect, test } from 'vitest';
import { createApi } from '../../load-tests/replay/api.ts';
import { readFolder } from '../../load-tests/replay/folder.ts';
import { LINE_COLUMN, scanTransactions, transactionsOf } from '../../load-tests/replay/households.ts';
import { createSource, importFiles, SOURCE } from '../../load-tests/replay/imports.ts';
import { startOwnWalkin } from '../../load-tests/replay/own-walkin.ts';
import { refresh } from '../../load-tests/replay/segments.ts';
import { builtFile } from '../support/built.ts';
import { expectedRules } from './expected-rules.ts';
import { otherGrocery } from './other-grocery.ts';
import { TEN_RULES } from './ten-rules.ts';

const FOLDER = join(resolve(process.env['WALKIN_SHARED'] ?? '../shared'), 'data');
const present = existsSync(join(FOLDER, 'completejourney'));
if (!present) console.warn(`SKIPPED: ten rules over real purchases, since ${FOLDER} does not exist (WALKIN_SHARED)`);

test.skipIf(!present)(
  'ten rules over real purchases select whom a count straight from the files selects',
  () => expectAgreement(FOLDER),
  300_000,
);

test('and over other purchases of the same kind, of whom nothing could be known beforehand', async () => {
  const root = await otherGrocery(20_261_122);
  try {
    await expectAgreement(root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}, 300_000);

async function expectAgreement(root: string): Promise<void> {
  const expected = await expectedRules(root);
  const walkin = await startOwnWalkin(process.env, { entry: builtFile('start.ts') });
  try {
    const api = createApi(walkin.target);
    const folder = await readFolder(root);
    const scanned = await scanTransactions(folder.transactions);
    await createSource(api);
    await importFiles(api, 'product', folder.products);
    await importFiles(api, 'purchase', folder.transactions, {
      open: (file) => transactionsOf(file, scanned),
      columns: scanned.repeated.size > 0 ? { line: LINE_COLUMN } : {},
    });
    await importFiles(api, 'redemption', folder.redemptions);
    const at = '2017-12-31T00:00:00Z';
    const said = (household: string, attributes: object) => ({
      ...{ type: 'identify', at, identifiers: [{ kind: 'loyalty', value: household }] },
      attributes,
    });
    const people = parse(readFileSync(join(root, 'completejourney/demographics.csv')), { columns: true, bom: true }) as {
      household_id: string;
      age: string;
    }[];
    const lines = [
      ...people.map(({ household_id, age }) => said(household_id, { age })),
      // Whom the count selects is told too, so that not only the sizes but the people are compared.
      ...Object.entries(expected).flatMap(([name, households]) =>
        households.map((household) => said(household, { [`expected_${name}`]: 'yes' })),
      ),
    ];
    expect(await api.postLines(`/v1/events?source=${SOURCE}`, lines)).toMatchObject({ quarantined: 0 });
    const differences = Object.entries(TEN_RULES).map(([name, rule]) => ({
      name: `${name}_differs`,
      rule: { any: [without(rule, marked(name)), without(marked(name), rule)] },
    }));
    for (const [name, rule] of Object.entries(TEN_RULES)) await api.put(`/v1/segments/${name}`, { name, rule });
    for (const { name, rule } of differences) await api.put(`/v1/segments/${name}`, { name, rule });
    await refresh(api);
    const sizeOf = async (id: string): Promise<number> => (await api.get<{ size: number }>(`/v1/segments/${id}`)).size;
    for (const [name, households] of Object.entries(expected)) {
      expect(households.length, name).toBeGreaterThan(0);
      expect(await sizeOf(name), name).toBe(households.length);
      expect(await sizeOf(`${name}_differs`), name).toBe(0);
    }
  } finally {
    await walkin.stop();
  }
}

const marked = (name: string) => ({ attribute: { name: `expected_${name}`, in: ['yes'] } });
const without = (rule: object, other: object) => ({ all: [rule, { not: other }] });
