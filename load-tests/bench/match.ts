import { execFile } from 'node:child_process';
import { totalmem } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describeMachine, pinningHere } from './machine.ts';
import type { Options } from './options.ts';
import { BenchError, say } from './say.ts';

/** What the timing process prints, and takes as its argument. */
export interface MatchTask {
  readonly lineItems: number;
  readonly seconds: number;
  readonly seed: number;
  readonly shared: string | null;
  /** Folder and extension of the bidder's modules: as built where we are built, so that what runs in production is timed. */
  readonly modules: string;
  readonly extension: string;
}

export interface MatchTiming {
  readonly decisions: number;
  readonly meanUs: number;
  readonly p99Us: number;
  /** What remains on a machine that others use too. */
  readonly p50Us: number;
  /** Memory that the index holds once the snapshot is gone. */
  readonly mb: number;
  readonly bidRate: number;
  readonly buildSeconds: number;
  readonly openMs: number;
  /** Of the decisions, those in which some line items were not looked at. */
  readonly truncated: number;
  /** Line items a decision: that something led to, whose targeting held, that were tried on an imp. */
  readonly reached: number;
  readonly passed: number;
  readonly tried: number;
  /** The same requests where only the geofenced line items are live. */
  readonly fencedUs: number;
  readonly fencedP50Us: number;
}

const SIZES = [1_000, 10_000, 100_000, 1_000_000];
/** What the largest world takes to be made. */
const MILLION_NEEDS = 8 * 2 ** 30;

/** Microseconds a decision of the core alone, in a process of its own for each size. */
export async function benchMatch(
  options: Options,
): Promise<{ sizes: Record<string, Pick<MatchTiming, 'meanUs' | 'p99Us' | 'mb'>> }> {
  const pinning = pinningHere();
  say(describeMachine(pinning));
  const sizes: Record<string, Pick<MatchTiming, 'meanUs' | 'p99Us' | 'mb'>> = {};
  const fenced: [number, number][] = [];
  for (const lineItems of options.sizes ?? SIZES.map((size) => Math.max(20, Math.round(size * options.scale)))) {
    if (lineItems >= 1_000_000 && totalmem() < MILLION_NEEDS) {
      say(`${lineItems} line items are left out: they need 8 GB of memory to be made`);
      continue;
    }
    const timing = await timeMatch(options, lineItems, pinning?.server ?? null);
    const {
      meanUs,
      p50Us,
      p99Us,
      mb,
      fencedUs,
      fencedP50Us,
      buildSeconds,
      openMs,
      bidRate,
      decisions,
      reached,
      passed,
      tried,
      truncated,
    } = timing;
    say(
      `${lineItems.toLocaleString('en')} line items: ${meanUs} µs a decision, p50 ${p50Us} µs, p99 ${p99Us} µs (${decisions.toLocaleString('en')} decisions, ${Math.round(100 * bidRate)} % bids); geofenced line items alone ${fencedUs} µs (p50 ${fencedP50Us}); index ${mb} MB, compiled in ${buildSeconds} s, opened in ${openMs} ms; reached ${reached}, held ${passed}, tried ${tried} a decision, cut short ${(100 * truncated).toFixed(1)} %`,
    );
    sizes[String(lineItems)] = { meanUs, p99Us, mb };
    fenced.push([lineItems, fencedUs]);
  }
  const [small, large] = [fenced[0], fenced.findLast(([lineItems]) => lineItems <= 100_000)];
  if (small !== undefined && large !== undefined && small !== large)
    say(`Geofenced line items alone: ${large[0]} cost ${(large[1] / small[1]).toFixed(2)} times what ${small[0]} do`);
  return { sizes };
}

const run = promisify(execFile);

async function timeMatch({ seconds, seed, shared }: Options, lineItems: number, core: number | null): Promise<MatchTiming> {
  const extension = extname(import.meta.url);
  const modules = new URL('../../', import.meta.url).href;
  // The timing loop must import the bidder's core, which only tests may (test/architecture.test.ts).
  const script = fileURLToPath(
    new URL(extension === '.ts' ? '../../test/bench/match-process.ts' : '../../../test/bench/match-process.ts', import.meta.url),
  );
  const task: MatchTask = { lineItems, seconds, seed, shared, modules, extension };
  const heap = Math.max(2_048, Math.round(totalmem() / 2 ** 20) - 4_096);
  const node = [process.execPath, '--expose-gc', `--max-old-space-size=${heap}`, '--import', 'tsx', script, JSON.stringify(task)];
  const [program, ...args] = core === null ? node : ['taskset', '-c', String(core), ...node];
  try {
    const { stdout } = await run(program as string, args, { maxBuffer: 2 ** 24 });
    return JSON.parse(stdout.trim().split('\n').at(-1) as string) as MatchTiming;
  } catch (error) {
    throw new BenchError(`${lineItems} line items could not be timed: ${(error as Error).message.slice(0, 2_000)}`);
  }
}
