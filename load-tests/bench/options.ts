import { Command, InvalidArgumentError, Option } from 'commander';

export const BENCHES = [
  'floor',
  'bid',
  'latency',
  'match',
  'swap',
  'overload',
  'outage',
  'cluster',
  'node24',
  'identity',
  'ingest',
  'segments',
  'freshness',
  'publishing',
  'exports',
  'lookup',
] as const;
export type BenchName = (typeof BENCHES)[number];

export interface Options {
  readonly name: BenchName;
  /** Of the full world. */
  readonly scale: number;
  /** Of one measurement. */
  readonly seconds: number;
  readonly seed: number;
  /** `bid` says where the bidder's time goes, and is slower for it; `segments` says which statements take the time. */
  readonly profile: boolean;
  /** `latency` says what the worker did while calls were slow; the figures are higher for it. */
  readonly stalls: boolean;
  /** `segments` also with four times as many people and events. */
  readonly growth: boolean;
  /** `segments` without the benches `publishing` and `freshness`. */
  readonly alone: boolean;
  /** Folder in which `segments` leaves the worlds that it makes, and finds them; null: each run makes its own. */
  readonly keep: string | null;
  /** `segments` only makes the worlds that are to be kept, and times nothing. */
  readonly make: boolean;
  /** `segments` instead with so many segments of ten people each; null: with its mixed rules. */
  readonly small: number | null;
  /** Shares of the capacity that `latency` is measured at; null: its own. */
  readonly loads: readonly number[] | null;
  /** Line items that `match` and `swap` are measured at; null: their own. */
  readonly sizes: readonly number[] | null;
  /** Of the file that `ingest` sends; null: as `scale` says. */
  readonly gigabytes: number | null;
  /** Where the valid corpus is, or null. */
  readonly shared: string | null;
  readonly env: NodeJS.ProcessEnv;
}

export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): Options {
  const command = new Command('npm run bench --')
    .description('Measures Walkin on this machine; the last line is one JSON object. docs/benchmarks.md tells how.')
    .argument('<name>', BENCHES.join(', '))
    .option('--scale <share>', 'of the full world: line items, fences, profiles, identifiers', positive, 1)
    .option('--seconds <n>', 'of one measurement', positive, 10)
    .option('--seed <n>', 'another world', Number, 1)
    .option(
      '--profile',
      'bid: with a CPU profile of the bidder, the figures are lower for it; segments: what each statement takes',
      false,
    )
    .option('--gigabytes <n>', 'ingest: a file of that size, of wide lines, and the memory while it is taken', positive)
    .option('--growth', 'segments: also with four times as many people and events, which takes long', false)
    .option('--alone', 'segments: without publishing and freshness, which are benches of their own', false)
    .option('--keep <folder>', 'segments: leaves the worlds that it makes in a folder, and takes them from there again')
    .option('--make', 'segments: only makes the worlds that --keep keeps, with --growth both', false)
    .option('--small <n>', 'segments: instead of its mixed rules so many segments of ten people each', positive)
    .option(
      '--stalls',
      'latency, outage: with what the worker did while calls were slow, or when Redis came back; the figures are higher for it',
      false,
    )
    .addOption(new Option('--loads <list>', 'shares of the capacity for latency, with commas').argParser(listOf))
    .addOption(new Option('--sizes <list>', 'numbers of line items for match and swap, with commas').argParser(listOf))
    .parse([...args], { from: 'user' });
  const [name] = command.args;
  if (!isBench(name)) command.error(`There is no bench ${name}: ${BENCHES.join(', ')}.`);
  const given = command.opts<{
    scale: number;
    seconds: number;
    seed: number;
    profile: boolean;
    stalls: boolean;
    growth: boolean;
    alone: boolean;
    keep?: string;
    make: boolean;
    small?: number;
    sizes?: number[];
    loads?: number[];
    gigabytes?: number;
  }>();
  const { scale, seconds, seed, profile, stalls, growth, alone, make } = given;
  const { keep = null, loads = null, sizes = null, gigabytes = null, small = null } = given;
  return {
    name: name as BenchName,
    scale,
    seconds,
    seed,
    profile,
    stalls,
    growth,
    alone,
    keep,
    make,
    small,
    loads,
    sizes,
    gigabytes,
    shared: env['WALKIN_SHARED'] ?? '../shared',
    env,
  };
}

function isBench(name: string | undefined): name is BenchName {
  return (BENCHES as readonly string[]).includes(name ?? '');
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It must be above 0.');
  return value;
}

function listOf(text: string): number[] {
  return text.split(',').map(positive);
}
