import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { say } from './say.ts';

/** Node's own format, as `--cpu-prof` writes it. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

const TOP = 25;

export function profileFlags(folder: string): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`];
}

/** Where the busiest of the profiled processes, the worker, spent its time: functions by their own share of what was not idle. */
export function sayProfile(folder: string): void {
  const files = readdirSync(folder).filter((file) => file.endsWith('.cpuprofile'));
  const [largest] = files.map((file) => join(folder, file)).sort((a, b) => statSync(b).size - statSync(a).size);
  if (largest === undefined) return;
  const shares = ownShares(JSON.parse(readFileSync(largest, 'utf8')) as CpuProfile);
  say('Where the time goes (own share of the time that was not idle):');
  for (const [name, share] of shares.slice(0, TOP)) say(`  ${(100 * share).toFixed(1).padStart(5)} %  ${name}`);
}

export function ownShares({ nodes, samples, timeDeltas }: CpuProfile): [name: string, share: number][] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const spent = new Map<string, number>();
  let busy = 0;
  samples.forEach((id, at) => {
    const name = names.get(id) ?? '';
    if (name === '(idle)' || name === '(root)') return;
    const micros = timeDeltas[at] ?? 0;
    busy += micros;
    spent.set(name, (spent.get(name) ?? 0) + micros);
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
