import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { openApi } from './api.ts';
import { findDemoRequest } from './demo-request.ts';
import { readReport } from './report.ts';
import { type CityResults, equality, insideOf, resultsOf } from './results.ts';
import { runCity } from './run.ts';
import { type CitySettings, DEFAULTS, startBefore } from './settings.ts';
import { summarize } from './summary.ts';

/** Exists only once a run came to its end. */
const FINISHED = 'demo.json';
const ATTEMPTS = 'demo-attempts.json';

interface Flags {
  readonly api: string;
  readonly bidder: string;
  readonly key?: string;
  readonly keyFile?: string;
  readonly out?: string;
  readonly shoppers: number;
  readonly days: number;
  readonly seed: number;
  readonly effect: number;
  readonly holdout: number;
  readonly summary?: boolean;
  readonly json?: string;
}

const program = new Command('city')
  .description('A simulated city: shoppers, stores, an ad exchange, and a known effect of the ads')
  .requiredOption('--api <url>', 'base address of the admin API')
  .requiredOption('--bidder <url>', 'base address of the bidder')
  .option('--key <key>', 'API key of scope admin')
  .option('--key-file <file>', 'JSON file with the key as adminKey')
  .option('--out <folder>', 'where demo.json and demo-request.json go')
  .option('--shoppers <n>', 'people of the city', integer, DEFAULTS.shoppers)
  .option('--days <n>', 'days with ads, up to the last midnight', integer, DEFAULTS.days)
  .option('--seed <n>', 'another city', integer, DEFAULTS.seed)
  .option('--effect <share>', 'what a recent ad adds to the daily chance to visit', number, DEFAULTS.effect)
  .option('--holdout <percent>', 'people never served', number, DEFAULTS.holdout)
  .option('--summary', 'only print the table of a finished run again (needs --out)')
  .option('--json <file>', 'write the results');

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError('not a number from 0');
  return value;
}

function integer(text: string): number {
  const value = number(text);
  if (!Number.isSafeInteger(value) || value === 0) throw new InvalidArgumentError('not a whole number from 1');
  return value;
}

async function main(): Promise<void> {
  const flags = program.parse().opts<Flags>();
  const key = flags.key ?? (await keyIn(flags.keyFile));
  const results = flags.summary === true ? await again(flags, key) : await play(flags, key);
  if (flags.json !== undefined) await writeFile(flags.json, `${JSON.stringify(results, null, 2)}\n`);
  process.stdout.write(`\n${summarize(results)}\n`);
}

async function keyIn(file: string | undefined): Promise<string> {
  if (file === undefined) throw new Error('give --key or --key-file');
  return (JSON.parse(await readFile(file, 'utf8')) as { adminKey: string }).adminKey;
}

async function play(flags: Flags, key: string): Promise<CityResults> {
  const { shoppers, days, seed, effect, holdout } = flags;
  // A run that was broken off left bids of its own behind: count from zero under another campaign.
  const attempt = 1 + ((await read<{ attempt: number }>(flags.out, ATTEMPTS))?.attempt ?? 0);
  await keep(flags.out, ATTEMPTS, { attempt });
  const settings: CitySettings = { seed, shoppers, days, effect, holdout, start: startBefore(Date.now(), days), attempt };
  const begun = performance.now();
  const say = (text: string): boolean =>
    process.stdout.write(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
  const run = await runCity({ api: flags.api, bidder: flags.bidder, key }, settings, { say });
  const request = await findDemoRequest(run, flags.bidder, Date.now());
  if (request === null) throw new Error('nobody gets a bid beside the 24 h store at this moment');
  const results = resultsOf(run);
  await keep(flags.out, 'demo-request.json', request);
  await keep(flags.out, FINISHED, results);
  return results;
}

/** The finished run with a fresh report. */
async function again(flags: Flags, key: string): Promise<CityResults> {
  const results = await read<CityResults>(flags.out, FINISHED);
  if (results === null) throw new Error('there is no finished run to sum up; give its folder with --out');
  const api = openApi(flags.api, key);
  const report = await readReport(api, results).finally(() => api.close());
  return { ...results, report, equal: equality(results.exchange.total, report), inside: insideOf(results.truth, report) };
}

async function read<T>(out: string | undefined, name: string): Promise<T | null> {
  if (out === undefined) return null;
  const text = await readFile(join(out, name), 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as T);
}

async function keep(out: string | undefined, name: string, content: object): Promise<void> {
  if (out === undefined) return;
  await mkdir(out, { recursive: true });
  await writeFile(join(out, name), `${JSON.stringify(content, null, 2)}\n`);
}

main().catch((error: Error) => {
  process.stderr.write(`city: ${error.message}\n`);
  process.exitCode = 1;
});
