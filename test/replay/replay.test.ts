import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createApi } from '../../load-tests/replay/api.ts';
import { SOURCE } from '../../load-tests/replay/imports.ts';
import type { Target } from '../../load-tests/replay/options.ts';
import { type OwnWalkin, startOwnWalkin } from '../../load-tests/replay/own-walkin.ts';
import { refresh, SEGMENT_NAMES } from '../../load-tests/replay/segments.ts';
import type { Summary } from '../../load-tests/replay/summary.ts';
import { builtFile } from '../support/built.ts';
import { expectAgreement } from './agreement.ts';
import { expectedSegments } from './expected-segments.ts';

const SHARED = resolve(process.env['WALKIN_SHARED'] ?? '../shared');
const FOLDER = join(SHARED, 'data');
const present = existsSync(join(FOLDER, 'completejourney')) && existsSync(join(FOLDER, 'openrtb'));
if (!present) console.warn(`SKIPPED: the replay of real input, since ${FOLDER} does not exist (WALKIN_SHARED)`);

const MAIN = builtFile('load-tests/replay/main.ts');

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[]): Promise<Run> {
  return new Promise((done) => {
    const child = spawn(process.execPath, ['--enable-source-maps', MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('close', (code) => done({ code, stdout, stderr }));
  });
}

function summaryOf({ code, stdout, stderr }: Run): Summary {
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  return JSON.parse(stdout.trim().split('\n').at(-1) as string) as Summary;
}

const onto = ({ api, bidder, bidderMetrics, key }: Target): string[] => [
  ...['--api', api, '--bidder', bidder, '--key', key],
  ...(bidderMetrics === null ? [] : ['--bidder-metrics', bidderMetrics]),
];

const lateOf = ({ noBids }: Summary): number => (noBids['deadline'] ?? 0) + (noBids['shed'] ?? 0);

/** What holds for a replay of any folder. */
function expectSound(summary: Summary): void {
  const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((total, count) => total + count, 0);
  expect(Object.keys(summary.status).filter((code) => !['200', '204', '400'].includes(code))).toEqual([]);
  expect(sum(summary.status)).toBe(summary.requests);
  expect(summary.status['200'] ?? 0).toBe(summary.bids);
  expect(sum(summary.noBids)).toBe(summary.status['204'] ?? 0);
  expect(Object.keys(summary.noBids)).not.toContain('unknown');
}

describe.skipIf(!present)('the replay of real input', () => {
  test('takes every row in, finds the segments and ten rules more to the person, bids on nothing broken, and changes nothing when repeated', async () => {
    let walkin: OwnWalkin | null = null;
    try {
      walkin = await startOwnWalkin(process.env, { entry: builtFile('start.ts') });
      const { target } = walkin;
      const summary = summaryOf(await run([FOLDER, ...onto(target)]));
      const expected = await expectedSegments(FOLDER);
      expect(summary.rows).toBe(expected.rows);
      expect(summary.quarantined).toBe(0);
      const sizes = { grocery: expected.grocery.length, softDrinks: expected.softDrinks.length, coupon: expected.coupon.length };
      expect(summary.segments).toEqual(sizes);
      expectSound(summary);
      expect(summary.bids).toBeGreaterThan(0);
      expect(summary.p50).toBeGreaterThan(0);
      expect(summary.p99).toBeGreaterThanOrEqual(summary.p50);
      const fatal = fatalFiles();
      expect(fatal.length).toBeGreaterThan(0);
      expect(summary.invalidBids.filter((file) => fatal.includes(file))).toEqual([]);
      await expectSamePeople(target, expected);

      const again = summaryOf(await run([FOLDER, ...onto(target)]));
      expect(again).toMatchObject({ rows: expected.rows, quarantined: 0, segments: sizes });
      // Whom a stalled machine answers too late is chance: runs that were late alike are the same to the unit.
      if (lateOf(again) === lateOf(summary)) {
        expect({ bids: again.bids, noBids: again.noBids }).toEqual({ bids: summary.bids, noBids: summary.noBids });
      }
      // Ten rules more over these purchases, so that they need not be imported once more.
      await expectAgreement(createApi(target), FOLDER);
    } finally {
      await walkin?.stop();
    }
  }, 420_000);
});

/** Tells Walkin who is expected in each segment, and asks it how many are in one and not in the other. */
async function expectSamePeople(target: Target, expected: Record<(typeof SEGMENT_NAMES)[number], string[]>): Promise<void> {
  const api = createApi(target);
  const at = new Date().toISOString();
  const events = SEGMENT_NAMES.flatMap((name) =>
    expected[name].map((household) => ({
      type: 'identify',
      at,
      identifiers: [{ kind: 'loyalty', value: household }],
      attributes: { [`expected_${name}`]: 'yes' },
    })),
  );
  expect(await api.postLines(`/v1/events?source=${SOURCE}`, events)).toMatchObject({ quarantined: 0 });
  await refresh(api);
  for (const name of SEGMENT_NAMES) {
    const found = { segment: name };
    const wanted = { attribute: { name: `expected_${name}`, in: ['yes'] } };
    const estimate = async (rule: object) => (await api.post<{ size: number }>('/v1/segments:estimate', { rule })).size;
    expect(await estimate(wanted)).toBe(expected[name].length);
    // As many in both as in each: the same people.
    expect(await estimate({ all: [found, wanted] })).toBe(expected[name].length);
  }
}

/** Files that must not be bid on, as the manifest beside them says. */
function fatalFiles(): string[] {
  const manifest = JSON.parse(readFileSync(join(FOLDER, 'openrtb/invalid/manifest.json'), 'utf8')) as {
    file: string;
    class: string;
  }[];
  return manifest.flatMap((entry) => (entry.class.startsWith('fatal') ? [`openrtb/invalid/${entry.file}`] : []));
}

describe('the replay of a small folder', () => {
  test('on a Walkin of its own keeps to the letter of the segments, quarantines bad rows, and leaves nothing behind', async () => {
    const folder = await smallFolder();
    try {
      const summary = summaryOf(await run([folder]));
      expect(summary).toMatchObject({ rows: 20, quarantined: 3, segments: { grocery: 3, softDrinks: 1, coupon: 2 } });
      expectSound(summary);
      // Of the households 1, 4, 5 and 6, whom the requests name, only the first is in a segment.
      expect(summary).toMatchObject({ requests: 6, bids: 1, noBids: { segment: 3 }, status: { 400: 2 }, invalidBids: [] });
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 120_000);

  test('a folder with nothing in it is refused in one sentence, before anything is started', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'walkin-replay-empty-'));
    const { code, stderr } = await run([folder]);
    await rm(folder, { recursive: true });
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain('holds neither');
  }, 30_000);
});

/** Households 1, 2 and 3 spent 20.00 on groceries, 4 to 8 did not; 2 bought soft drinks on two receipts. */
async function smallFolder(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'walkin-replay-small-'));
  const write = async (file: string, lines: readonly string[]) => {
    const path = join(root, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${lines.join('\n')}\n`);
  };
  await write('completejourney/products.csv', [
    'product_id,manufacturer_id,department,brand,product_category,product_type,package_size',
    '10,1,GROCERY,National,SOFT DRINKS,COLA,1 L',
    '11,1,GROCERY,National,BREAD,"RYE, SLICED",',
    '12,1,MEAT,Private,,,',
  ]);
  const header = 'household_id,store_id,basket_id,product_id,quantity,sales_value,transaction_timestamp';
  await write('completejourney/north/transactions_1.csv', [
    header,
    // Both days included, from their first to their last moment.
    '1,5,100,11,1,10.00,2017-07-03T00:00:00Z',
    '1,5,101,11,1,10.00,2017-09-30T23:59:59Z',
    '4,5,102,11,1,10.00,2017-07-02T23:59:59Z',
    '4,5,103,11,1,10.00,2017-07-03T00:00:00Z',
    '5,5,104,11,1,10.00,2017-10-01T00:00:00Z',
    '5,5,105,11,1,10.00,2017-09-30T12:00:00Z',
    // A cent short; and exactly at the mark.
    '6,5,106,11,1,19.99,2017-08-01T10:00:00Z',
    '2,5,107,10,1,0.10,2017-08-01T10:00:00Z',
    '2,5,108,11,1,19.90,2017-08-01T10:00:00Z',
    // A cancellation takes it back under the mark.
    '7,5,109,11,1,25.00,2017-08-01T10:00:00Z',
    '7,5,110,11,-1,-5.01,2017-08-02T10:00:00Z',
    // Another department, and a product that nobody knows.
    '8,5,111,12,1,50.00,2017-08-01T10:00:00Z',
    '8,5,112,99,1,50.00,2017-08-01T10:00:00Z',
    // Two lines of one product on one receipt that differ, the second of nothing.
    '3,5,113,11,1,12.00,2017-08-01T10:00:00Z',
    '3,5,113,11,2,8.00,2017-08-01T10:00:00Z',
    '3,5,114,12,1,4.440892e-16,2017-08-01T10:00:00Z',
    // Soft drinks: two lines on one receipt are one receipt.
    '3,5,115,10,1,1.00,2016-01-01T10:00:00Z',
    '3,5,115,10,2,2.00,2016-01-01T10:00:00Z',
    '6,5,116,10,1,-1.00,2016-01-01T10:00:00Z',
    ',5,117,10,1,1.00,2017-08-01T10:00:00Z',
    '9,5,118,10,1,much,2017-08-01T10:00:00Z',
    '9,5,119,10,1,1.00,2017-02-30T10:00:00Z',
  ]);
  await write('completejourney/south/transactions_2.csv', [header, '2,6,201,10,3,1.50,2018-01-01T00:00:00Z']);
  await write('completejourney/coupon_redemptions.csv', [
    'household_id,coupon_upc,campaign_id,redemption_date',
    '1,555,26,2017-01-01',
    '1,556,26,2017-01-01',
    '9,555,27,2017-12-31',
  ]);
  const request = (id: string) => ({ id, imp: [{ id: '1', banner: { w: 336, h: 280 } }], site: { id: 's' } });
  await write('openrtb/valid/deep/er/one.json', [JSON.stringify(request('a'))]);
  // Turns of the households: 1, 4, 5, 6.
  await write(
    'openrtb/valid/more.ndjson',
    [request('b'), request('c'), { ...request('d'), user: { id: 'x' } }].map((one) => JSON.stringify(one)),
  );
  await write('openrtb/invalid/cut.txt', ['{"id":"e","imp":[']);
  await write('openrtb/invalid/empty.json', ['']);
  return root;
}
