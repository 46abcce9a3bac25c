import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { columnsOf } from '../../load-tests/replay/csv.ts';
import { missingParts, readFolder } from '../../load-tests/replay/folder.ts';
import { scanTransactions, transactionsOf } from '../../load-tests/replay/households.ts';
import { readCalls, sizesOf, userOf, withUser } from '../../load-tests/replay/requests.ts';
import { percentile, statusCounts } from '../../load-tests/replay/summary.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'walkin-replay-test-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function write(file: string, content: string | Buffer): Promise<string> {
  const path = join(root, file);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, content);
  return path;
}

describe('the folder', () => {
  test('is read however its files are nested and named', async () => {
    await write('completejourney/2017/transactions_q1.csv', '');
    await write('completejourney/transactions.csv.gz', '');
    await write('completejourney/products.csv', '');
    await write('completejourney/coupon_redemptions_more.csv', '');
    await write('completejourney/coupons.csv', '');
    await write('openrtb/valid/manifest.json', '[]');
    await write('openrtb/valid/a/b/one.json', '{}');
    await write('openrtb/valid/many.ndjson', '{}');
    await write('openrtb/valid/picture.png', '');
    await write('openrtb/invalid/README.md', '');
    await write('openrtb/invalid/x/broken.bin', '');
    const folder = await readFolder(root);
    const names = (files: readonly string[]) => files.map((file) => file.slice(root.length + 1));
    expect(names(folder.transactions)).toEqual([
      'completejourney/2017/transactions_q1.csv',
      'completejourney/transactions.csv.gz',
    ]);
    expect(names(folder.redemptions)).toEqual(['completejourney/coupon_redemptions_more.csv']);
    expect(names(folder.valid)).toEqual(['openrtb/valid/a/b/one.json', 'openrtb/valid/many.ndjson']);
    expect(names(folder.invalid)).toEqual(['openrtb/invalid/x/broken.bin']);
    expect(missingParts(folder)).toEqual([]);
  });
  test('says what it lacks, and is refused where it has nothing at all', async () => {
    await expect(readFolder(root)).rejects.toThrow('holds neither');
    await expect(readFolder(join(root, 'nowhere'))).rejects.toThrow('cannot be read');
    await write('openrtb/invalid/broken.json', '{');
    expect(missingParts(await readFolder(root)).join('\n')).toMatch(/transactions.*\n.*products.*\n.*redemptions.*\n.*valid/);
  });
});

describe('purchases', () => {
  const HEADER = 'household_id,basket_id,product_id,quantity,sales_value,transaction_timestamp\n';
  const textOf = async (stream: AsyncIterable<Buffer | string>) => {
    let text = '';
    for await (const chunk of stream) text += chunk;
    return text;
  };
  test('households come in the order of their first line, and a file of lines that their products name is sent as it is', async () => {
    const content = `\ufeff${HEADER}7,b1,p1,1,2.00,t\n3,b2,p1,1,2.00,t\n7,b1,p1,1,2.00,t\n`;
    const file = await write('a.csv', content);
    const scanned = await scanTransactions([file]);
    expect(scanned).toEqual({ ids: ['7', '3'], repeated: new Map() });
    expect(await columnsOf(file)).toEqual(HEADER.trim().split(','));
    expect(await textOf(transactionsOf(file, scanned))).toBe(content);
  });
  test('different lines of one product on a receipt, in whatever file, get names of their own', async () => {
    const one = await write('a.csv', `${HEADER}7,b1,p1,1,2.00,t\r\n7,b1,"p,2",1,2.00,t\r\n`);
    const two = await write('b.csv.gz', gzipSync(`${HEADER}7,b1,p1,2,4.00,t\n7,b1,p1,1,2.00,t\n9,b3,p1\n`));
    const scanned = await scanTransactions([one, two]);
    const lines = async (file: string) => (await textOf(transactionsOf(file, scanned))).trim().split('\n').slice(1);
    expect(await lines(one)).toEqual(['7,b1,p1,1,2.00,t,"p1"', '7,b1,"p,2",1,2.00,t,"p,2"']);
    expect(await lines(two)).toEqual(['7,b1,p1,2,4.00,t,"p1 (2)"', '7,b1,p1,1,2.00,t,"p1"', '9,b3,p1,"p1"']);
  });
  test('rows that cannot be read do not stop the scan', async () => {
    const file = await write('a.csv', `${HEADER}7,b1,p1\n"8,b2\n`);
    expect((await scanTransactions([file])).ids).toEqual(['7']);
  });
});

describe('requests', () => {
  const read = async (file: string, content: string | Buffer) => readCalls(root, [await write(file, content)]);
  test('a user is mapped by every name that the request has, and a refused advertising id stays refused', async () => {
    const user = userOf('42');
    const [call] = await read('a.json', '\ufeff{"id":"1","user":{"buyeruid":"x","yob":1970},"device":{"ifa":"aa-bb"}}');
    const mapped = withUser(call as never, user);
    expect(JSON.parse(String(mapped?.body))).toEqual({
      id: '1',
      user: { buyeruid: user.buyeruid, yob: 1970, id: user.userId },
      device: { ifa: user.ifa },
    });
    const [zeroed] = await read('b.json', '{"device":{"ifa":"00000000-0000-0000-0000-000000000000"}}');
    expect(JSON.parse(String(withUser(zeroed as never, user)?.body))).toEqual({
      user: { id: user.userId },
      device: { ifa: '00000000-0000-0000-0000-000000000000' },
    });
    const [broken] = await read('c.json', '[1]');
    expect(withUser(broken as never, user)).toBeNull();
  });
  test('bytes are sent as they are, NDJSON line by line', async () => {
    const bytes = Buffer.from([0xff, 0x00, 0x7b]);
    expect(await read('x.bin', bytes)).toEqual([{ file: 'x.bin', body: bytes }]);
    expect((await read('x.ndjson', '{"a":1}\r\n\n{"b":2}')).map(({ body }) => String(body).trim())).toEqual([
      '{"a":1}',
      '{"b":2}',
    ]);
  });
  test('the sizes that are asked for most come first, whatever else stands there', async () => {
    const imps = [
      { banner: { w: 320, h: 50, format: [{ w: 300, h: 250 }] } },
      { banner: { format: [{ w: 300, h: 250 }, null] } },
      null,
    ];
    const calls = [...(await read('a.json', JSON.stringify({ imp: imps }))), ...(await read('b.json', '{"imp":{}}'))];
    expect(sizesOf(calls)).toEqual([
      { w: 300, h: 250 },
      { w: 320, h: 50 },
    ]);
  });
});

test('percentiles are times that were measured', () => {
  const answers = Array.from({ length: 100 }, (_, n) => ({
    file: '',
    status: n < 3 ? 400 : 204,
    milliseconds: 100 - n,
    bids: 0,
  }));
  expect([percentile(answers, 0.5), percentile(answers, 0.99), percentile([], 0.5)]).toEqual([50, 99, 0]);
  expect(statusCounts(answers)).toEqual({ 204: 97, 400: 3 });
});
