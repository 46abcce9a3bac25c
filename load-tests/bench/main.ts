// `npm run bench <name>`: see docs/benchmarks.md. Its last line is one JSON object.
import { benchBid } from './bid.ts';
import { benchCluster } from './cluster.ts';
import { benchExports } from './exports.ts';
import { benchFloor } from './floor.ts';
import { benchFreshness } from './freshness.ts';
import { benchIdentity } from './identity.ts';
import { benchIngest } from './ingest.ts';
import { benchLatency } from './latency.ts';
import { benchLookup } from './lookup.ts';
import { shareAsNiced } from './machine.ts';
import { benchMatch } from './match.ts';
import { benchNode24 } from './node24.ts';
import { type BenchName, type Options, readOptions } from './options.ts';
import { benchOutage } from './outage.ts';
import { benchOverload } from './overload.ts';
import { benchPublishing } from './publishing.ts';
import { type Rig, setUpRig } from './rig.ts';
import { BenchError } from './say.ts';
import { benchSegments } from './segments.ts';
import { benchSwap } from './swap.ts';

type Bench = (rig: Rig, options: Options) => Promise<object>;

const ON_A_RIG: Readonly<Partial<Record<BenchName, Bench>>> = {
  floor: benchFloor,
  bid: benchBid,
  latency: benchLatency,
  swap: benchSwap,
  overload: benchOverload,
  outage: benchOutage,
  cluster: benchCluster,
  node24: benchNode24,
};

async function run(options: Options): Promise<object> {
  if (options.name === 'identity') return benchIdentity(options);
  if (options.name === 'ingest') return benchIngest(options);
  if (options.name === 'exports') return benchExports(options);
  if (options.name === 'freshness') return benchFreshness(options);
  if (options.name === 'lookup') return benchLookup(options);
  if (options.name === 'publishing') return benchPublishing(options);
  if (options.name === 'segments') return benchSegments(options);
  const bench = ON_A_RIG[options.name];
  if (bench === undefined) return benchMatch(options);
  const rig = await setUpRig(options);
  try {
    return await bench(rig, options);
  } finally {
    await rig.stop();
  }
}

shareAsNiced(process.pid);
// An exit takes the children along.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  console.log(JSON.stringify(await run(readOptions(process.argv.slice(2), process.env))));
} catch (error) {
  console.error(error instanceof BenchError ? error.message : error);
  process.exitCode = 1;
}
