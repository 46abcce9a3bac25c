import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate } from '../../dmp/clickhouse/migrate.ts';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { startWarehouse } from '../support/warehouse.ts';

let warehouse: Warehouse;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
});
afterAll(() => stop());

test('a second migration finds nothing to do', async () => {
  expect(await migrate(warehouse)).toEqual([]);
});

test('an insert that is repeated with its token and rows changes nothing', async () => {
  const row = {
    identifier: '00000000-0000-8000-8000-000000000001',
    kind: 'ifa',
    profile: 7,
    anchor: '00000000-0000-8000-8000-000000000001',
    version: 1,
  };
  for (let i = 0; i < 3; i++) await warehouse.insert('identities', [row], 'batch-1');
  expect(await warehouse.query({ sql: 'SELECT count() AS n FROM identities' })).toEqual([{ n: '1' }]);
});

test('the token of an insert does not make the statements after it repetitions of one another', async () => {
  const products = (id: string) => [{ source: 's', product: id, name: '', category: '', department: '', brand: '', ingested: 0 }];
  // One insert a connection of the pool, and then statements that write by themselves.
  for (let i = 0; i < 4; i++) await warehouse.insert('products', products(`p${i}`), `token-${i}`);
  for (let segment = 0; segment < 12; segment++) {
    await warehouse.command({
      sql: `INSERT INTO memberships (segment, profile, version, status, at) SETTINGS insert_deduplicate = 0
        SELECT {segment:String}, toUInt32(number), 1, 1, toDateTime64(0, 3, 'UTC') FROM numbers(5)`,
      params: { segment: `s${segment}` },
    });
  }
  expect(await warehouse.query({ sql: 'SELECT count() AS n FROM memberships' })).toEqual([{ n: '60' }]);
});

test('64-bit integers keep their digits and times are UTC', async () => {
  const rows = await warehouse.query({
    sql: "SELECT {cell:UInt64} AS cell, {at:DateTime64(3, 'UTC')} AS at",
    params: { cell: '644325524701193974', at: '2026-11-22 12:00:00.123' },
  });
  expect(rows).toEqual([{ cell: '644325524701193974', at: '2026-11-22 12:00:00.123' }]);
});

test('statements run side by side', async () => {
  const rows = await Promise.all(
    Array.from({ length: 20 }, (_, n) => warehouse.query<{ n: number }>({ sql: 'SELECT {n:UInt32} AS n', params: { n } })),
  );
  expect(rows.flat().map((row) => row.n)).toEqual(Array.from({ length: 20 }, (_, n) => n));
});

test('parameters are values, whatever is in them', async () => {
  const odd = [
    "a'b",
    'a\\b',
    "\\'",
    "''",
    'x\ty\n\r\0z',
    "'; DROP TABLE things; --",
    'é€😀',
    '',
    '\\N',
    'NULL',
    '{a:String}',
    '\\\\x41',
  ];
  const sql = 'SELECT {text:String} AS text, {list:Array(String)} AS list';
  for (const text of odd)
    expect(await warehouse.query({ sql, params: { text, list: [text, text] } })).toEqual([{ text, list: [text, text] }]);
  const params = { a: null, b: 7, c: [1, 2], d: -1.5 };
  expect(
    await warehouse.query({
      sql: 'SELECT {a:Nullable(String)} AS a, {b:UInt32} AS b, {c:Array(UInt32)} AS c, {d:Float64} AS d',
      params,
    }),
  ).toEqual([params]);
});

test('a statement with parameters waits for no other one, nor takes its values', async () => {
  const ended: string[] = [];
  const slow = warehouse
    .query({
      sql: 'SELECT sum(sipHash64(number * {k:UInt8})) AS n FROM numbers(150000000) SETTINGS max_threads = 1',
      params: { k: 3 },
    })
    .then(() => ended.push('slow'));
  const quick = Array.from({ length: 30 }, async (_, k) => {
    const ids = Array.from({ length: 500 }, (_, i) => `${k}-${i}`);
    const [row] = await warehouse.query({ sql: 'SELECT {k:UInt8} AS k, {ids:Array(String)} AS ids', params: { k, ids } });
    expect(row).toEqual({ k, ids });
  });
  await Promise.all(quick.slice(0, 3)).then(() => ended.push('quick'));
  await Promise.all([slow, ...quick]);
  expect(ended).toEqual(['quick', 'slow']);
});
