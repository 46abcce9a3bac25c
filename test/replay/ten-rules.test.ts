import { rm } from 'node:fs/promises';
import { test } from 'vitest';
import { createApi } from '../../load-tests/replay/api.ts';
import { readFolder } from '../../load-tests/replay/folder.ts';
import { LINE_COLUMN, scanTransactions, transactionsOf } from '../../load-tests/replay/households.ts';
import { createSource, importFiles } from '../../load-tests/replay/imports.ts';
import { startOwnWalkin } from '../../load-tests/replay/own-walkin.ts';
import { builtFile } from '../support/built.ts';
import { expectAgreement } from './agreement.ts';
import { otherGrocery } from './other-grocery.ts';

/** Over the real purchases: replay.test.ts, which has them imported. */
test('ten rules over purchases of which nothing could be known beforehand select whom a count straight from the files selects', async () => {
  const root = await otherGrocery(20_261_122);
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
    await expectAgreement(api, root);
  } finally {
    await walkin.stop();
    await rm(root, { recursive: true, force: true });
  }
}, 300_000);
