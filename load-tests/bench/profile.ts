import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { say } from './say.ts';

/** Node's own format, as `--cpu-prof` writes it. */
export interface CpuProfile {
  /** Microseconds of the clock that never jumps. */
  readonly startTime: number;
  readonly nodes: readonly {
    readonly id: number;
    readonly children?: readonly number[];
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** Microseconds of the clock that never jumps. */
interface Span {
  readonly from: number;
  readonly to: number;
}

const TOP = 25;
const EVER: readonly Span[] = [{ from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }];

export function profileFlags(folder: string): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`];
}

/** That of the busiest of the profiled processes, the worker; null where there is none. */
export function readProfile(folder: string): CpuProfile | null {
  const files = readdirSync(folder).filter((file) => file.endsWith('.cpuprofile'));
  const [largest] = files.map((file) => join(folder, file)).sort((a, b) => statSync(b).size - statSync(a).size);
  return largest === undefined ? null : (JSON.parse(readFileSync(largest, 'utf8')) as CpuProfile);
}

/** Where the worker spent its time in the rounds: functions by their share of what was not idle. */
export function sayProfile(folder: string, rounds: readonly Span[]): void {
  const profile = readProfile(folder);
  if (profile === null) return;
  say('Where the time goes (own share of the time that was not idle):');
  sayShares(ownShares(profile, rounds));
  say('With what they call:');
  sayShares(sharesWithCalls(profile, rounds));
}

function sayShares(shares: readonly [name: string, share: number][]): void {
  for (const [name, share] of shares.slice(0, TOP)) say(`  ${(100 * share).toFixed(1).padStart(5)} %  ${name}`);
}

/** By name, what share of the time that was not idle was spent in it. */
export function ownShares(profile: CpuProfile, spans: readonly Span[] = EVER): [name: string, share: number][] {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, [nameOf(callFrame)]]));
  return sharesOf(profile, spans, names);
}

/** And in what it called. */
export function sharesWithCalls(profile: CpuProfile, spans: readonly Span[] = EVER): [name: string, share: number][] {
  return sharesOf(profile, spans, stacksOf(profile));
}

/** By node the names of its callers, each once, the outermost first, and its own. */
export function stacksOf(profile: CpuProfile): Map<number, string[]> {
  const stacks = new Map<number, string[]>();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const [root] = profile.nodes;
  if (root !== undefined) stack(root.id, []);
  return stacks;

  function stack(id: number, callers: readonly string[]): void {
    const node = nodes.get(id) as CpuProfile['nodes'][number];
    const names = [...new Set([...callers, nameOf(node.callFrame)])];
    stacks.set(id, names);
    for (const child of node.children ?? []) stack(child, names);
  }
}

function sharesOf(
  { startTime, samples, timeDeltas }: CpuProfile,
  spans: readonly Span[],
  namesOf: ReadonlyMap<number, readonly string[]>,
): [name: string, share: number][] {
  const spent = new Map<string, number>();
  let busy = 0;
  let at = startTime;
  samples.forEach((id, sample) => {
    const micros = timeDeltas[sample] ?? 0;
    at += micros;
    const names = namesOf.get(id) ?? [];
    const own = names.at(-1);
    if (own === '(idle)' || own === '(root)' || !spans.some(({ from, to }) => at >= from && at <= to)) return;
    busy += micros;
    for (const name of names) spent.set(name, (spent.get(name) ?? 0) + micros);
  });
  return [...spent].map(([name, micros]): [string, number] => [name, micros / busy]).sort((a, b) => b[1] - a[1]);
}

/** "bestFor bidder/core/decide.js"; functions of a package under the package's name. */
function nameOf({ functionName, url }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const path =
    /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? url.replace(/^.*\/dist\//, '').replace(/^.*\/(bidder|proto)\//, '$1/');
  return `${name} ${path}`;
}
