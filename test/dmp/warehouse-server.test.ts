import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WarehouseAway } from '../../dmp/clickhouse/connection.ts';
import { migrate } from '../../dmp/clickhouse/migrate.ts';
import { openWarehouse, type Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { problemOf } from '../../dmp/http/errors.ts';
import { compileRule } from '../../dmp/segments/compile.ts';
import { type ClickhouseServer, startClickhouse } from '../support/clickhouse-server.ts';
import { temporaryFolder } from '../support/folder.ts';
import { membersOf, randomRule } from './segments-oracle.ts';
import { fillWarehouse, randomWorld, scopeIn, seeded } from './segments-world.ts';

// The server form of the warehouse over the real client and protocol; the engine behind it is the embedded one.

let server: ClickhouseServer;
let warehouse: Warehouse;
const open = (database: string, owner?: string) =>
  openWarehouse({ kind: 'server', url: server.url, database, ...(owner === undefined ? {} : { owner }) });
beforeAll(async () => {
  server = await startClickhouse();
  warehouse = await open('walkin');
  await migrate(warehouse);
});
afterAll(async () => {
  await warehouse.close();
  await server.close();
});

const NASTY = ["a'b", 'a\\b', 'a\tb\nc\r', '', '\\N', '{x:String}', '--boundary\r\n', 'ü€🙂', "['", '\0'];

test('a second migration finds nothing to do, also where two run it at once', async () => {
  expect(await Promise.all([migrate(warehouse), migrate(warehouse)])).toEqual([[], []]);
});

test('parameters arrive as they are, short ones in the address and long ones in a form', async () => {
  for (const count of [1, 5_000]) {
    const values = Array.from({ length: count }, (_, n) => NASTY.map((value) => `${n}${value}`)).flat();
    const params = { values, text: NASTY.join('|'), no: null, yes: true, big: '18446744073709551615', pairs: [['x'], ["'"]] };
    const [row] = await warehouse.query<Record<string, unknown>>({
      sql: `SELECT {values:Array(String)} AS values, {text:String} AS text, {no:Nullable(String)} AS no, {yes:Bool} AS yes,
        {big:UInt64} AS big, {pairs:Array(Array(String))} AS pairs`,
      params,
    });
    expect(row).toEqual(params);
  }
});

test('a statement of half a megabyte with long parameters is taken, in questions and in commands', async () => {
  const values = Array.from({ length: 200_000 }, (_, n) => n);
  // Letters of two bytes, so that pieces end within one.
  const text = 'straße '.repeat(70_000);
  const sql = `INSERT INTO long SELECT arrayJoin({values:Array(UInt32)}) AS profile, '${text}' = '' ? '' : 'n' AS name`;
  await warehouse.command({
    sql: 'CREATE OR REPLACE TABLE long (profile UInt32, name String) ENGINE = MergeTree ORDER BY profile',
  });
  await warehouse.command({ sql, params: { values } });
  const asked =
    'SELECT count() AS people FROM long WHERE profile IN {values:Array(UInt32)} AND has({values:Array(UInt32)}, profile)';
  expect(await warehouse.query({ sql: asked, params: { values } })).toEqual([{ people: '200000' }]);
  await warehouse.command({ sql: 'DROP TABLE long' });
}, 60_000);

test('rules select whom the slow evaluator selects, with ten thousand values in a list too', async () => {
  const random = seeded(11);
  const world = randomWorld(random);
  await fillWarehouse(warehouse, world);
  const brands = Array.from({ length: 9_999 }, (_, n) => `a brand of a long name ${n}`);
  const rules = [
    ...Array.from({ length: 12 }, () => randomRule(random)),
    { purchases: { brands: [...brands, 'Own'], window: { days: 36_500 } } },
  ];
  for (const rule of rules) {
    const rows = await warehouse.query<{ profile: number }>(compileRule(rule, scopeIn(world)));
    const found = rows.map(({ profile }) => profile).sort((a, b) => a - b);
    expect(found, JSON.stringify(rule).slice(0, 300)).toEqual(membersOf(rule, world));
  }
}, 60_000);

test('an insert that is repeated with its token changes nothing, as rows and as text', async () => {
  const product = { source: 's', name: '', category: '', department: '', brand: '', ingested: 0 };
  for (let i = 0; i < 3; i++) await warehouse.insert('products', [{ ...product, product: 'p\n1' }], 'token-1');
  const columns = ['source', 'product', 'name', 'category', 'department', 'brand', 'ingested'];
  for (let i = 0; i < 3; i++)
    await warehouse.insertText('products', columns, Buffer.from('s\tp2\t\t\t\t\t1769627213.5\n'), 'token-2');
  // A server forgets the token with its statement.
  await warehouse.command({ sql: "INSERT INTO products (source, product) SELECT 's', 'p3'" });
  await warehouse.command({ sql: "INSERT INTO products (source, product) SELECT 's', 'p4'" });
  const rows = await warehouse.query({ sql: 'SELECT product FROM products ORDER BY product' });
  expect(rows).toEqual(['p\n1', 'p2', 'p3', 'p4'].map((name) => ({ product: name })));
});

test('Parquet is sent to the server and read there', async () => {
  const folder = temporaryFolder();
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const { writeFile } = await import('node:fs/promises');
  const path = join(folder, 'rows.parquet');
  const columnData = [
    { name: 'who "it" is', data: ['7000', 'a,"b"'], type: 'STRING' as const },
    { name: 'value', data: [1.25, 2.5], type: 'DOUBLE' as const },
  ];
  await writeFile(path, Buffer.from(parquetWriteBuffer({ columnData })));
  await warehouse.parquetToCsv(path, join(folder, 'rows.csv'));
  expect(await readFile(join(folder, 'rows.csv'), 'utf8')).toBe('"who ""it"" is","value"\n"7000",1.25\n"a,""b""",2.5\n');
});

test('rows come as they are made, and a transfer that breaks off is an error and no shorter answer', async () => {
  let bytes = 0;
  for await (const piece of warehouse.scan({ sql: 'SELECT number FROM numbers(1000000)' })) bytes += piece.length;
  expect(bytes).toBe(8_000_000);
  const failing = async (): Promise<void> => {
    for await (const _ of warehouse.scan({ sql: 'SELECT throwIf(number = 900000) FROM numbers(1000000)' }));
  };
  await expect(failing()).rejects.toThrow();
  // Who stops reading gets on with the next statement.
  for await (const _ of warehouse.scan({ sql: 'SELECT number FROM numbers(1000000)' })) break;
  expect(await warehouse.query({ sql: 'SELECT 1 AS one' })).toEqual([{ one: 1 }]);
});

test('exceptions keep their number: a limit, a table that is not there, a password', async () => {
  const limited = warehouse.query({ sql: 'SELECT sum(sipHash64(number)) FROM numbers(100000000000)' }, { seconds: 1 });
  await expect(limited).rejects.toMatchObject({ code: '159' });
  await expect(warehouse.query({ sql: 'SELECT * FROM nowhere' })).rejects.toMatchObject({ code: '60' });
  const stranger = openWarehouse({ kind: 'server', url: server.url.replace(/:[^:@]+@/, ':wrong@'), database: 'walkin' });
  await expect(stranger).rejects.toMatchObject({ code: '516' });
}, 60_000);

test('two databases on one server know nothing of each other', async () => {
  const other = await open('walkin_other');
  await other.command({ sql: 'CREATE TABLE IF NOT EXISTS products (product String) ENGINE = MergeTree ORDER BY product' });
  await other.insert('products', [{ product: 'elsewhere' }]);
  const count = { sql: "SELECT count() AS n FROM products WHERE product = 'elsewhere'" };
  expect(await Promise.all([other.query(count), warehouse.query(count)])).toEqual([[{ n: '1' }], [{ n: '0' }]]);
  await other.command({ sql: 'DROP DATABASE walkin_other' });
  await other.close();
});

test('statements run side by side', async () => {
  const rows = await Promise.all(
    Array.from({ length: 40 }, (_, n) => warehouse.query<{ n: number }>({ sql: 'SELECT {n:UInt32} AS n', params: { n } })),
  );
  expect(rows.flat().map((row) => row.n)).toEqual(Array.from({ length: 40 }, (_, n) => n));
});

test('who takes over waits until what a dead process of its name left writing has ended, and leaves others alone', async () => {
  const [dead, next, other] = await Promise.all([
    open('walkin', 'segmenter'),
    open('walkin', 'segmenter'),
    open('walkin', 'dmp'),
  ]);
  await next.command({ sql: 'CREATE OR REPLACE TABLE stage (whose UInt64) ENGINE = MergeTree ORDER BY whose' });
  const slow = (whose: number, tenths: number) =>
    `INSERT INTO stage SELECT ${whose} FROM numbers(${tenths}) WHERE sleepEachRow(0.1) = 0
      SETTINGS max_block_size = 1, min_insert_block_size_rows = 1, min_insert_block_size_bytes = 1`;
  const ended: string[] = [];
  const left = dead.command({ sql: slow(1, 15) }).catch(() => undefined);
  void left.then(() => ended.push('left'));
  // So long that it never ends here.
  const busy = other.command({ sql: slow(2, 200) }).catch(() => undefined);
  void busy.then(() => ended.push('busy'));
  const begun = async () => (await next.query({ sql: 'SELECT DISTINCT whose FROM stage' })).length;
  await expect.poll(begun, { timeout: 20_000 }).toBe(2);
  await next.takeOver?.();
  await next.command({ sql: 'TRUNCATE TABLE stage' });
  await left;
  expect(ended).toEqual(['left']);
  expect(await next.query({ sql: 'SELECT whose FROM stage WHERE whose = 1' })).toEqual([]);
  await Promise.all([dead.close(), next.close()]);
}, 60_000);

test('a server that is killed is away, as a problem that says when to come back, and is there again by itself', async () => {
  const slow = 'SELECT count() FROM numbers(300) WHERE sleepEachRow(0.1) = 0 SETTINGS max_block_size = 1';
  const waiting = warehouse.query({ sql: slow }).catch((error: unknown) => error);
  await warehouse.query({ sql: 'SELECT 1' });
  await server.kill();
  const away = await warehouse.query({ sql: 'SELECT 1' }).catch((error: unknown) => error);
  for (const error of [away, await waiting]) {
    expect(error).toBeInstanceOf(WarehouseAway);
    expect(problemOf(error)).toMatchObject({ status: 503, code: 'unavailable', headers: { 'retry-after': '2' } });
  }
  await expect(warehouse.insert('products', [{ source: 's', product: 'late' }], 'late')).rejects.toThrow(WarehouseAway);
  await server.start();
  await warehouse.insert('products', [{ source: 's', product: 'late' }], 'late');
  expect(await warehouse.query({ sql: "SELECT product FROM products WHERE product = 'late'" })).toEqual([{ product: 'late' }]);
}, 60_000);

test('a connection that ends without an answer is a server that is away', async () => {
  const silent = createServer((socket) => socket.once('data', () => socket.destroy())).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  const opening = openWarehouse({ kind: 'server', url: `http://127.0.0.1:${port}`, database: 'walkin' });
  await expect(opening).rejects.toThrow(WarehouseAway);
  silent.close();
});
