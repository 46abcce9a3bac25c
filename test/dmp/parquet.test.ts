import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@clickhouse/client';
import { expect, test } from 'vitest';
import { columnsOf } from '../../dmp/clickhouse/parquet.ts';
import { parquetFooter } from '../../dmp/clickhouse/parquet-footer.ts';
import { openWarehouse } from '../../dmp/clickhouse/warehouse.ts';
import { temporaryFolder } from '../support/folder.ts';

const SERVER = process.env['WALKIN_TEST_CLICKHOUSE_URL'];
const ROWS = `SELECT toString(7000 + number) AS who, if(number = 2, NULL, number) AS "odd \\"name\\"", toDecimal64(1.25, 2) AS value,
  toDateTime64(1769627213.5, 3, 'UTC') AS time, [number, number] AS list FROM numbers(3)`;

/** A file of three rows, as the embedded engine writes one. */
async function withEngine(
  work: (warehouse: Awaited<ReturnType<typeof openWarehouse>>, path: string, folder: string) => Promise<void>,
) {
  const folder = temporaryFolder();
  const warehouse = await openWarehouse({ kind: 'embedded', path: join(folder, 'clickhouse'), database: 'walkin' });
  const path = join(folder, 'rows.parquet');
  await warehouse.command({ sql: `${ROWS} INTO OUTFILE '${path}' FORMAT Parquet` });
  try {
    await work(warehouse, path, folder);
  } finally {
    await warehouse.close();
  }
}

const CSV = [
  '"who","odd ""name""","value","time","list"',
  '"7000",0,1.25,"2026-01-28T19:06:53.500Z","[0,0]"',
  '"7001",1,1.25,"2026-01-28T19:06:53.500Z","[1,1]"',
  '"7002",,1.25,"2026-01-28T19:06:53.500Z","[2,2]"',
  '',
].join('\n');

test('Parquet becomes CSV by ClickHouse itself, and its columns are known from its footer alone', async () => {
  await withEngine(async (warehouse, path, folder) => {
    const into = join(folder, 'rows.csv');
    await warehouse.parquetToCsv(path, into);
    expect(await readFile(into, 'utf8')).toBe(CSV);

    // As a server is asked: the footer has all that the columns need, and no row.
    const footer = await parquetFooter(path);
    expect(footer?.length).toBeLessThan((await readFile(path)).length);
    const asked: string[] = [];
    const client = {
      query: async ({ query }: { query: string }) => {
        asked.push(query);
        return { json: () => warehouse.query({ sql: query }) };
      },
    };
    const columns = await columnsOf(client as never, path, {});
    expect(columns.map(({ name, type }) => `${name}: ${type}`)).toEqual([
      'who: String',
      'odd "name": Nullable(UInt64)',
      'value: Decimal(18, 2)',
      "time: DateTime64(3, 'UTC')",
      'list: Array(UInt64)',
    ]);
    expect(asked[0]).not.toContain(Buffer.from('7001').toString('hex'));
    if (SERVER === undefined) return;

    const server = await openWarehouse({ kind: 'server', url: SERVER, database: `walkin_parquet_${process.pid}` });
    const sent = join(folder, 'sent.csv');
    await server.parquetToCsv(path, sent);
    expect(await readFile(sent, 'utf8')).toBe(CSV);
    const plain = createClient({ url: SERVER });
    await plain.command({ query: `DROP DATABASE walkin_parquet_${process.pid}` });
    await plain.close();
    await server.close();
  });
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['text', Buffer.from('who,value\n1,2\n')],
  ['magic numbers around nothing', Buffer.from('PAR1PAR1')],
  [
    'a footer that is longer than the file',
    Buffer.concat([Buffer.from('PAR1'), Buffer.from([255, 255, 0, 0]), Buffer.from('PAR1')]),
  ],
])('%s is no Parquet', async (_, bytes) => {
  const path = join(temporaryFolder(), 'file');
  await writeFile(path, bytes);
  expect(await parquetFooter(path)).toBeNull();
});
