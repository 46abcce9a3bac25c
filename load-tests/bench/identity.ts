import { spawn } from 'node:child_process';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Snapshot } from '../../proto/snapshot.ts';
import { EXCHANGE } from './line-items.ts';
import type { Options } from './options.ts';
import { PEPPER, type Rig, setUpRig } from './rig.ts';
import { BenchError, say } from './say.ts';

/** What the process that resolves is given. */
export interface IdentityTask {
  readonly identifiers: number;
  readonly edges: number;
  readonly optOuts: number;
  readonly redis: string;
  readonly folder: string;
  readonly pepper: string;
  readonly bidderPort: number;
  readonly exchange: string;
  /** Of whom the one line item that is live wants people. */
  readonly segment: number;
  /** Folder and extension of the modules: as built where we are built, so that what runs in production is timed. */
  readonly modules: string;
  readonly extension: string;
}

export interface IdentityTiming {
  readonly fullS: number;
  readonly incrementalS: number;
  readonly optOutP95S: number;
}

const IDENTIFIERS = 2_000_000;
const EDGES = 3_000_000;
const OPT_OUTS = 100;
/** A bidder needs a world, and here a small one does. */
const SMALL = 0.001;
const SEGMENT = 1;

/** Who is who of everybody, then of 1 % new edges; and how long somebody who opts out is still bid on. */
export async function benchIdentity(options: Options): Promise<IdentityTiming> {
  const rig = await setUpRig({ ...options, scale: SMALL });
  try {
    await rig.publish(forEverybodyIn(rig, SEGMENT));
    const bidder = await rig.startBidder();
    return await timeIdentity(rig, options, bidder.port);
  } finally {
    await rig.stop();
  }
}

/** One line item that bids on everybody in the segment, and on nobody else. */
function forEverybodyIn({ snapshot }: Rig, segment: number): Snapshot {
  const lineItem = snapshot.lineItems.find(({ targeting }) => targeting.geofences === null);
  if (lineItem === undefined) throw new BenchError('the world has no line item without fences');
  const creatives = lineItem.creatives.slice(0, 1).map((creative) => ({ ...creative, w: 300, h: 250, attributes: [] }));
  const targeting = {
    ...lineItem.targeting,
    segments: [[segment]],
    excludedSegments: [],
    deviceTypes: null,
    os: null,
    dayparts: null,
    exchanges: null,
  };
  return {
    ...snapshot,
    version: snapshot.version + 1,
    lineItems: [{ ...lineItem, caps: [], targeting, creatives } as typeof lineItem],
  };
}

function timeIdentity(rig: Rig, { scale }: Options, bidderPort: number): Promise<IdentityTiming> {
  const extension = extname(import.meta.url);
  // It must import the segmenter, which only tests may (test/architecture.test.ts).
  const script = new URL(
    extension === '.ts' ? '../../test/bench/identity-process.ts' : '../../../test/bench/identity-process.ts',
    import.meta.url,
  );
  const task: IdentityTask = {
    identifiers: Math.max(2_000, Math.round(IDENTIFIERS * scale)),
    edges: Math.max(3_000, Math.round(EDGES * scale)),
    optOuts: Math.max(10, Math.round(OPT_OUTS * Math.min(1, scale * 10))),
    redis: join(rig.folder, 'redis.sock'),
    folder: rig.folder,
    pepper: PEPPER,
    bidderPort,
    exchange: EXCHANGE,
    segment: SEGMENT,
    modules: new URL('../../', import.meta.url).href,
    extension,
  };
  const node = [process.execPath, '--import', 'tsx', fileURLToPath(script), JSON.stringify(task)];
  // The bench itself sits on one core; the engine may have both, as it has where it runs for real.
  const cores = rig.pinning === null ? [] : ['taskset', '-c', `${rig.pinning.server},${rig.pinning.rest}`];
  const [program, ...args] = [...cores, ...node] as [string, ...string[]];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill('SIGKILL'));
  return new Promise((resolve, reject) => {
    let timing: IdentityTiming | null = null;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) timing = JSON.parse(line) as IdentityTiming;
      else say(line);
    });
    child.once('close', (code) => {
      if (timing === null) reject(new BenchError(`the resolution was not timed: it ended with ${String(code)}`));
      else resolve(timing);
    });
  });
}
