import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { parquetOf } from '../../dmp/destinations/parquet.ts';
import { readRecord } from '../../dmp/imports/records.ts';
import { createCsvSplitter } from '../../dmp/imports/split-csv.ts';
import { importWork, startImportWorker } from '../../dmp/imports/worker.ts';
import { conversionsCsv, MEASURES } from '../../dmp/reports/csv.ts';
import { type DataApp, startDataApp } from '../dmp/data-app.ts';
import { bringFile } from './bring.ts';

let data: DataApp;
let worker: { close(): Promise<void> };
beforeAll(async () => {
  data = await startDataApp();
  worker = startImportWorker(data.deps);
});
afterAll(async () => {
  await worker.close();
  await data.stop();
});
beforeEach(() => data.clear());

const MAPPING = {
  columns: { id: 'basket', at: 'time', store: 'store', product: 'product', amount: 'value' },
  identifiers: [{ kind: 'loyalty', column: 'household' }],
};
const HEADER = 'household,store,basket,product,value,time';
const GOOD = '7001,st-1,r1,milk,1.25,2026-01-28T19:06:53Z';

const bring = (file: string | Buffer, more: object = {}) =>
  bringFile(data, { type: 'purchase', format: 'csv', mapping: MAPPING, ...more }, file);

const codes = (job: { result: { errors: { code: string; count: number }[] } }) =>
  Object.fromEntries(job.result.errors.map(({ code, count }) => [code, count]));
const stores = () => data.rows('SELECT receipt, store, toString(amount) AS amount FROM purchases FINAL ORDER BY receipt');

describe('encodings', () => {
  const text = `${HEADER}\n7001,Žižkov – süd,r1,milk,1.25,2026-01-28T19:06:53Z\n`;
  test.each([
    ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${text}`), {}],
    ['UTF-16 with a byte order mark', Buffer.from(`\ufeff${text}`, 'utf16le'), {}],
    ['UTF-16, big end first', Buffer.from(`\ufeff${text}`, 'utf16le').swap16(), {}],
    ['UTF-16 without a mark, as the import says', Buffer.from(text, 'utf16le'), { encoding: 'utf-16le' }],
  ])('%s', async (_what, file, more) => {
    const { job } = await bring(file, more);
    expect(job.result).toMatchObject({ accepted: 1, quarantined: 0 });
    expect(await stores()).toEqual([{ receipt: 'r1', store: 'Žižkov – süd', amount: '1250000' }]);
  });

  test('Latin-1 that the import says is read; that it does not say, each row with such a letter is refused', async () => {
    const file = Buffer.from(`${HEADER}\n7001,Süd,r1,milk,1.25,2026-01-28\n7001,Nord,r2,milk,1,2026-01-28\n`, 'latin1');
    expect((await bring(file, { encoding: 'iso-8859-1' })).job.result).toMatchObject({ accepted: 2 });
    expect(await stores()).toContainEqual({ receipt: 'r1', store: 'Süd', amount: '1250000' });
    await data.clear();
    const { job } = await bring(file);
    expect(job.result).toMatchObject({ accepted: 1, quarantined: 1 });
    expect(codes(job)).toEqual({ bad_encoding: 1 });
  });

  test('Windows-1251', async () => {
    const cyrillic = Buffer.from([0xd6, 0xe5, 0xed, 0xf2, 0xf0]);
    const file = Buffer.concat([Buffer.from(`${HEADER}\n7001,`), cyrillic, Buffer.from(',r1,milk,1.25,2026-01-28\n')]);
    await bring(file, { encoding: 'windows-1251' });
    expect(await stores()).toEqual([{ receipt: 'r1', store: 'Центр', amount: '1250000' }]);
  });

  test('UTF-16 without a mark that nobody says fails the file', async () => {
    const { job } = await bring(Buffer.from(text, 'utf16le'));
    expect(job.error).toMatch(/^bad_encoding: .*say its encoding/);
  });
});

describe('tables', () => {
  test('mixed line ends, blank lines, a last line without an end', async () => {
    const rows = ['r1', 'r2', 'r3', 'r4'].map((id) => GOOD.replace('r1', id));
    const { job } = await bring(`${HEADER}\r\n${rows[0]}\r${rows[1]}\n\n${rows[2]}\r\n\r\n${rows[3]}`);
    expect(job.result).toMatchObject({ rows: 4, accepted: 4 });
  });

  test('a quote that never closes fails the file with its line; what came before stays, and a mended file doubles nothing', async () => {
    const { job } = await bring(`${HEADER}\n${GOOD}\n7001,"st-1,r2,milk,1,2026-01-28\n${GOOD.replace('r1', 'r3')}\n`);
    expect(job.state).toBe('failed');
    expect(job.error).toMatch(/^bad_csv: line 3: a quote is never closed/);
    const mended = await bring(`${HEADER}\n${GOOD}\n7001,"st-1",r2,milk,1,2026-01-28\n${GOOD.replace('r1', 'r3')}\n`);
    expect(mended.job.result).toMatchObject({ accepted: 3 });
    expect(await stores()).toHaveLength(3);
  });

  test('text after a closing quote is the fault of its row alone', async () => {
    const { job } = await bring(`${HEADER}\n7001,"st-1"x,r0,milk,1,2026-01-28\n${GOOD}\n7001,5" pipe,r2,milk,1,2026-01-28\n`);
    expect(job.result).toMatchObject({ accepted: 2, quarantined: 1 });
    expect(codes(job)).toEqual({ bad_csv: 1 });
  });

  test('100,000 columns fail the file when the header has them, and the row when a row does', async () => {
    const wide = Array.from({ length: 100_000 }, (_, i) => `c${i}`).join(',');
    expect((await bring(`${HEADER},${wide}\n`)).job.error).toMatch(/^bad_csv: the file has 100006 columns/);
    const { job } = await bring(`${HEADER}\n${wide}\n${GOOD}\n`);
    expect(job.result).toMatchObject({ accepted: 1, quarantined: 1 });
    expect(codes(job)).toEqual({ bad_csv: 1 });
  });

  test('a header that repeats a name fails the file where the mapping needs it, else not', async () => {
    expect((await bring(`${HEADER},value\n${GOOD},1\n`)).job.error).toBe('bad_csv: the file has more than one column "value"');
    expect((await bring(`${HEADER},note,note\n${GOOD},a,b\n`)).job.result).toMatchObject({ accepted: 1 });
  });
});

describe('values', () => {
  test.each([
    ['a date of year 0001', { time: '0001-01-01' }, 'bad_time'],
    ['a date of year 9999', { time: '9999-12-31T23:59:59Z' }, 'bad_time'],
    ['31 February', { time: '2026-02-31' }, 'bad_time'],
    ['an amount like 1e309', { value: '1e309' }, 'bad_amount'],
    ['an amount that could be two', { value: '"1.234,56"' }, 'bad_amount'],
    ['an amount that is none', { value: 'NaN' }, 'bad_amount'],
  ])('%s', async (_what, cells, code) => {
    const row = { household: '7001', store: 'st-1', basket: 'r1', product: 'milk', value: '1', time: '2026-01-28', ...cells };
    const { job } = await bring(`${HEADER}\n${Object.values(row).join(',')}\n${GOOD}\n`);
    expect(job.result).toMatchObject({ accepted: 1, quarantined: 1 });
    expect(codes(job)).toEqual({ [code]: 1 });
  });

  test('1.234,56 is read where the mapping says how', async () => {
    const mapping = { ...MAPPING, columns: { ...MAPPING.columns, amount: { column: 'value', decimal: ',' } } };
    const { job } = await bring(`${HEADER}\n7001,st-1,r1,milk,"1.234,56",2026-01-28\n7001,st-1,r2,milk,"0,5",2026-01-28\n`, {
      mapping,
    });
    expect(job.result).toMatchObject({ accepted: 2 });
    expect((await stores()) as { amount: string }[]).toMatchObject([{ amount: '1234560000' }, { amount: '500000' }]);
  });

  test('ids beyond 2^53 keep all their digits in a table, and in a document are refused as numbers', async () => {
    await bring(`${HEADER}\n7001,st-1,9297250629620950001,milk,1,2026-01-28\n`);
    expect(await stores()).toMatchObject([{ receipt: '9297250629620950001' }]);
    const mapping = { columns: { id: 'n', at: 't', amount: 'v' }, identifiers: [{ kind: 'loyalty', column: 'h' }] };
    const rows =
      '{"n":9297250629620950001,"t":"2026-01-28","v":1,"h":"7001"}\n{"n":"9297250629620950002","t":"2026-01-28","v":1,"h":"7001"}\n';
    const { job } = await bring(rows, { format: 'ndjson', mapping });
    expect(job.result).toMatchObject({ accepted: 1, quarantined: 1 });
    expect(codes(job)).toEqual({ bad_number: 1 });
  });
});

describe('documents, one a line', () => {
  const mapping = {
    columns: { id: 'n', at: 't', amount: 'v', store: 's' },
    identifiers: [{ kind: 'loyalty', column: 'h' }],
  };
  const row = (more: object = {}) => JSON.stringify({ n: 'r1', t: '2026-01-28', v: 1, s: 'st', h: '7001', ...more });
  const bringLines = (file: string | Buffer, more: object = {}) => bring(file, { format: 'ndjson', mapping, ...more });

  test.each([
    ['a byte order mark', Buffer.from(`\ufeff${row({ s: 'süd' })}\n`), {}],
    ['UTF-16 with a mark', Buffer.from(`\ufeff${row({ s: 'süd' })}\n`, 'utf16le'), {}],
    ['Latin-1 that the import says', Buffer.from(`${row({ s: 'süd' })}\n`, 'latin1'), { encoding: 'iso-8859-1' }],
  ])('%s', async (_what, file, more) => {
    expect((await bringLines(file, more)).job.result).toMatchObject({ accepted: 1, quarantined: 0 });
    expect(await stores()).toMatchObject([{ receipt: 'r1', store: 'süd' }]);
  });

  test('what is wrong with a line is the fault of that line alone', async () => {
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`c${i}`, i]));
    const lines = [
      row({ n: 'r1' }),
      '{"n":"r2","t":"2026-01-28","v":1,"h":"never closed',
      row({ n: 'r3', t: '0001-01-01' }),
      row({ n: 'r4', t: '9999-12-31T23:59:59Z' }),
      row({ n: 'r5' }).replace('"v":1', '"v":1e309'),
      row({ n: 'r6', v: '1.234,56' }),
      row({ n: 'r7', ...wide }),
      row({ n: 'r8' }).replace('"v":1', '"v":1,"v":2'),
      row({ n: 'r9', s: '=cmd|calc' }),
      row({ n: 'r11' }).replace('"st"', `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`),
      '[]',
      '"text"',
    ];
    const { job } = await bringLines(`${lines.join('\r\n')}\n\n${row({ n: 'r10' })}`);
    expect(await stores()).toEqual([
      { receipt: 'r1', store: 'st', amount: '1000000' },
      { receipt: 'r10', store: 'st', amount: '1000000' },
      { receipt: 'r7', store: 'st', amount: '1000000' },
      { receipt: 'r8', store: 'st', amount: '2000000' },
      { receipt: 'r9', store: '=cmd|calc', amount: '1000000' },
    ]);
    expect(job.result).toMatchObject({ accepted: 5, quarantined: 8 });
    expect(codes(job)).toEqual({ not_json: 1, bad_time: 2, bad_amount: 2, type: 3 });
  });
});

test.skipIf(process.env['WALKIN_TEST_CLICKHOUSE_URL'] !== undefined)('Parquet answers for its rows as tables do', async () => {
  const names = ['household', 'store', 'basket', 'product', 'value', 'time'];
  const rows = [
    ['7001', 'st', '9297250629620950001', 'milk', '1', '2026-01-28'],
    ['7001', 'st', 'r2', 'milk', '1e309', '2026-01-28'],
    ['7001', 'st', 'r3', 'milk', '1.234,56', '2026-01-28'],
    ['7001', 'st', 'r4', 'milk', '1', '0001-01-01'],
    ['7001', '=cmd|calc', 'r5', 'milk', '1', '2026-01-28'],
    ['7001', 'a "quoted"\nstore', 'r6', 'milk', '1', '2026-01-28'],
  ];
  const parts = async function* () {
    yield rows;
  };
  const pieces: Buffer[] = [];
  for await (const piece of parquetOf(names, parts())) pieces.push(piece);
  const { job } = await bring(Buffer.concat(pieces), { format: 'parquet' });
  expect(job.result).toMatchObject({ accepted: 3, quarantined: 3 });
  expect(codes(job)).toEqual({ bad_amount: 2, bad_time: 1 });
  expect(await stores()).toEqual([
    { receipt: '9297250629620950001', store: 'st', amount: '1000000' },
    { receipt: 'r5', store: '=cmd|calc', amount: '1000000' },
    { receipt: 'r6', store: 'a "quoted"\nstore', amount: '1000000' },
  ]);
});

describe('files', () => {
  test('a zip archive and a zip bomb are refused', async () => {
    expect((await bring(Buffer.from('PK\u0003\u0004rest of it'))).job.error).toMatch(/^bad_encoding: the file is a zip archive/);
    const line = `${GOOD}\n`.repeat(400_000);
    const { job } = await bring(gzipSync(`${HEADER}\n${line}`, { level: 9 }));
    expect(job.error).toMatch(/^body_too_large: the file unpacks to more than/);
  }, 60_000);

  test('gzip that breaks off fails the file', async () => {
    const rows = Array.from({ length: 3_000 }, (_, i) => GOOD.replace('r1', `r${i * 7919}`)).join('\n');
    const whole = gzipSync(`${HEADER}\n${rows}\n`);
    const { job } = await bring(whole.subarray(0, whole.length - 100));
    expect(job.error).toMatch(/^bad_encoding: the file is not the gzip/);
  });

  test('a file that was changed since it was sent is not taken', async () => {
    await worker.close();
    const made = await data.app.inject({
      method: 'POST',
      url: '/v1/imports',
      payload: { type: 'purchase', format: 'csv', mapping: MAPPING },
    });
    const { id } = made.json();
    await data.app.inject({ method: 'PUT', url: `/v1/imports/${id}/file`, payload: `${HEADER}\n${GOOD}\n` });
    const record = await readRecord(data.deps.redis, id);
    await writeFile(join(data.deps.uploads, record?.file?.name ?? ''), `${HEADER}\n${GOOD}\n${GOOD}\n`);
    const context = { id: record?.job ?? '', checkpoint: async () => undefined, progress: async () => undefined };
    await expect(importWork(data.deps)({ import: id }, context)).rejects.toThrow('the file was changed since it was sent');
    worker = startImportWorker(data.deps);
  });

  test('a file that is changed while it is read fails', async () => {
    await worker.close();
    const payload = { type: 'purchase', format: 'csv', mapping: MAPPING };
    const { id } = (await data.app.inject({ method: 'POST', url: '/v1/imports', payload })).json();
    const lines = Array.from({ length: 30 }, (_, i) => GOOD.replace('r1', `r${i}`));
    await data.app.inject({ method: 'PUT', url: `/v1/imports/${id}/file`, payload: `${HEADER}\n${lines.join('\n')}\n` });
    const { file, job } = (await readRecord(data.deps.redis, id)) ?? {};
    let asked = 0;
    const checkpoint = async (): Promise<void> => {
      if (++asked === 2) await writeFile(join(data.deps.uploads, file?.name ?? ''), 'x'.repeat(file?.bytes ?? 0));
    };
    const context = { id: job ?? '', checkpoint, progress: async () => undefined };
    await expect(importWork(data.deps, 10)({ import: id }, context)).rejects.toThrow('the file was changed while it was read');
    expect(asked).toBeGreaterThan(2);
    worker = startImportWorker(data.deps);
  });

  test('validateOnly tells what would happen and stores nothing', async () => {
    const { id, job } = await bring(`${HEADER}\n${GOOD}\nbad\n`, { validateOnly: true });
    expect(job.result).toMatchObject({ rows: 2, accepted: 1, quarantined: 1 });
    expect(await stores()).toEqual([]);
    expect(await data.rows('SELECT count() AS n FROM quarantine')).toEqual([{ n: '0' }]);
    const result = await data.app.inject({ url: `/v1/imports/${id}/result` });
    expect(result.body.trim().split('\n')).toHaveLength(2);
  });

  test('a whole file takes away what it does not hold, an incremental one does not, and a delete line takes away one', async () => {
    const products = (rows: string, more: object = {}) =>
      bring(`sku,title,category,department,brand,status\n${rows}`, {
        type: undefined,
        format: undefined,
        mapping: undefined,
        preset: 'product-catalogue',
        ...more,
      });
    const kept = async () =>
      ((await data.rows('SELECT product FROM products FINAL ORDER BY product')) as { product: string }[]).map(
        ({ product }) => product,
      );
    await products('1,A,,,,active\n2,B,,,,active\n3,C,,,,active\n');
    await products('4,D,,,,active\n3,,,,,removed\n');
    expect(await kept()).toEqual(['1', '2', '4']);
    const { now } = data.deps;
    Object.assign(data.deps, { now: () => now() + 60_000 });
    await products('2,B,,,,active\n5,E,,,,active\n', { mode: 'whole' });
    expect(await kept()).toEqual(['2', '5']);
    Object.assign(data.deps, { now });
  });

  test('a receipt line that is sent again with another month’s time counts once, with the newer time', async () => {
    await bring(`${HEADER}\n${GOOD}\n`);
    await bring(`${HEADER}\n${GOOD.replace('2026-01', '2026-03')}\n`);
    expect(await data.rows('SELECT toString(at) AS at, count() OVER () AS n FROM purchases FINAL')).toEqual([
      { at: '2026-03-28 19:06:53.000', n: '1' },
    ]);
  });
});

test('a table is cut as csv-parse cuts it, wherever its pieces are cut', () => {
  const cell = fc.oneof(
    fc.constantFrom('', 'a', 'ä€', 'x y', '5" pipe', '1,5'),
    fc.string({ maxLength: 5 }),
    fc.constantFrom('a\nb', 'c\r\nd', '"', 'e"f', ','),
  );
  const row = fc.array(cell, { minLength: 2, maxLength: 5 });
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 8 }),
      fc.constantFrom('\n', '\r\n'),
      fc.infiniteStream(fc.nat({ max: 9 })),
      (rows, end, cuts) => {
        const text = rows
          .map((cells) => cells.map((one) => (/["\r\n,]/.test(one) ? `"${one.replaceAll('"', '""')}"` : one)).join(','))
          .join(end);
        const found: string[][] = [];
        const splitter = createCsvSplitter(',', (cells) => void found.push(cells));
        for (let at = 0; at < text.length; ) {
          const next = at + 1 + (cuts.next().value as number);
          splitter.write(text.slice(at, next));
          at = next;
        }
        splitter.end();
        expect(found).toEqual(parse(text, { relax_column_count: true, record_delimiter: [end] }));
        expect(found).toEqual(rows);
      },
    ),
    { numRuns: 300 },
  );
});

describe('an upload that is cut in the middle', () => {
  /** Sends the beginning of a body of `promised` bytes, and hangs up. */
  async function sendHalf(id: string, half: string, promised: number): Promise<void> {
    const { port } = data.app.server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', () => undefined);
    const head = [`PUT /v1/imports/${id}/file HTTP/1.1`, 'host: x', 'content-type: text/csv', `content-length: ${promised}`];
    socket.write(`${head.join('\r\n')}\r\n\r\n${half}`);
    await vi.waitFor(async () => expect((await parts(id)).length).toBe(1), 20_000);
    socket.destroy();
    await vi.waitFor(async () => expect(await parts(id)).toEqual([]), 20_000);
  }
  const parts = async (id: string) => (await readdir(data.deps.uploads)).filter((name) => name.startsWith(id));

  test('leaves nothing, and the file can be sent again', async () => {
    await data.app.listen({ host: '127.0.0.1', port: 0 });
    const file = [HEADER, ...Array.from({ length: 50_000 }, (_, n) => GOOD.replace('r1', `r${n}`))].join('\n');
    const made = await data.app.inject({
      method: 'POST',
      url: '/v1/imports',
      payload: { type: 'purchase', format: 'csv', mapping: MAPPING },
    });
    const { id } = made.json();
    for (const share of [0.01, 0.5, 0.99]) await sendHalf(id, file.slice(0, Math.floor(file.length * share)), file.length);
    expect((await data.app.inject({ url: `/v1/imports/${id}` })).json()).toMatchObject({
      status: 'created',
      file: null,
      job: null,
    });
    expect(await stores()).toEqual([]);
    const sent = await data.app.inject({ method: 'PUT', url: `/v1/imports/${id}/file`, payload: file });
    expect(sent.statusCode).toBe(202);
    const job = await vi.waitFor(
      async () => {
        const one = (await data.app.inject({ url: `/v1/jobs/${sent.json().id}` })).json();
        expect(one.state).toBe('succeeded');
        return one;
      },
      { timeout: 30_000 },
    );
    expect(job.result).toMatchObject({ accepted: 50_000, quarantined: 0 });
  }, 60_000);
});

test('a formula in a file survives as text, and no table that leaves gives it to a spreadsheet as one', async () => {
  const { id, job } = await bring(
    `${HEADER}\n7001,=cmd|' /C calc'!A0,r1,"=HYPERLINK(""http://x"")",1.25,2026-01-28T19:06:53Z\n7001,@SUM(1),r2,milk,x,2026-01-28\n`,
  );
  expect(job.result).toMatchObject({ accepted: 1, quarantined: 1 });
  expect(await stores()).toEqual([{ receipt: 'r1', store: "=cmd|' /C calc'!A0", amount: '1250000' }]);
  // What became of each row is told without its cells, as JSON: no spreadsheet runs it.
  const result = await data.app.inject({ url: `/v1/imports/${id}/result` });
  expect(result.headers['content-type']).toMatch(/^application\/x-ndjson/);
  expect(result.body).not.toContain('cmd');
  for (const line of result.body.trim().split('\n')) expect(line).toMatch(/^\{"line":/);
  const measures = Object.fromEntries(MEASURES.map((name) => [name, 1])) as never;
  const csv = (store: string) =>
    conversionsCsv(['store'], [{ store, ...(measures as object) } as never], measures).split('\r\n')[1];
  for (const formula of ["=cmd|' /C calc'!A0", '+1', '-1', '@SUM(1)', '\tx', '\rx'])
    expect(csv(formula)?.replace(/^"/, '').startsWith(`'${formula}`.slice(0, 2)), formula).toBe(true);
});
