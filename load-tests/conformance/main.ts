import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, createApi } from '../replay/api.ts';
import { snapshotVersion, waitServed } from '../replay/campaign.ts';
import { type OwnWalkin, startOwnWalkin } from '../replay/own-walkin.ts';
import { ReplayError } from '../replay/say.ts';
import { EXCHANGE, PER_USD, putAlways } from './always.ts';
import { readCorpus, type Sample } from './corpus.ts';
import type { Terms } from './judge/case.ts';
import { type Options, readOptions } from './options.ts';
import { type Outcome, runConformance } from './run.ts';
import { openLine } from './send.ts';
import { wishesOf } from './wishes.ts';

/** Answers that are asked for before any is judged: the first ones of a fresh process are slower than all others. */
const WARM_UP = 200;
const PATIENCE_MS = 1_000;

interface Bidder {
  readonly address: string;
  readonly noticeBase: string;
  /** What its prices are converted by, where that is known. */
  readonly perUsd: Terms['perUsd'];
}

async function conform(samples: readonly Sample[], { address, noticeBase, perUsd }: Bidder, options: Options): Promise<Outcome> {
  const line = openLine(address);
  const terms: Terms = { noticeBase, bidsPerImp: 1, perUsd, requiredFields: [], patience: PATIENCE_MS };
  try {
    for (let i = 0; i < WARM_UP; i++) {
      const { body, contentType } = samples[i % samples.length] as Sample;
      await line.send({ headers: { 'content-type': contentType }, body });
    }
    return await runConformance(samples, line.send, { protobuf: options.protobuf, gzip: options.gzip, terms });
  } finally {
    line.close();
  }
}

const ATTEMPTS = 3;
const RESTART_MS = 5_000;

/** A process of a fresh Walkin that ends is started again by its supervisor: what was set up is then set up again. */
async function startPatiently(walkin: OwnWalkin, samples: readonly Sample[]): Promise<Bidder> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startAlways(walkin, samples);
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof ReplayError && error.message.includes('no answer'))) throw error;
      console.log(`${error.message}; once more`);
      await sleep(RESTART_MS);
    }
  }
}

async function startAlways(walkin: OwnWalkin, samples: readonly Sample[]): Promise<Bidder> {
  const api: Api = createApi(walkin.target);
  const before = await snapshotVersion(api);
  await putAlways(api, wishesOf(samples));
  await api.finished(await api.post('/v1/refresh', {}));
  await waitServed(api, before);
  const { bidder } = walkin.target;
  return { address: `${bidder}/openrtb2/${EXCHANGE}`, noticeBase: bidder, perUsd: { USD: 1, ...PER_USD } };
}

function report({ passed, failures, chances, notCarried, times }: Outcome): void {
  for (const failure of failures) console.log(failure);
  if (notCarried.length > 0) {
    console.log(`${notCarried.length} requests cannot be carried by protobuf and were not sent as such:`);
    for (const sentence of notCarried) console.log(`  ${sentence}`);
  }
  const { allowed, bid, without } = chances;
  for (const file of without) console.log(`no bid  ${file}`);
  const share = allowed === 0 ? '' : ` (${Math.round((bid / allowed) * 1000) / 10} %)`;
  console.log(`Of ${allowed} requests whose format and privacy allow a bid, ${bid} got one${share}.`);
  const at = (part: number) => (times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0).toFixed(1);
  console.log(
    `Answered within ${at(0.5)} ms (half), ${at(0.99)} ms (99 %), ${at(1)} ms (all); one connection, nothing else sent.`,
  );
  console.log(`${passed} passed, ${failures.length} failed`);
}

async function run(options: Options): Promise<void> {
  const samples = await readCorpus(options.folder);
  if (samples.length === 0) throw new ReplayError(`${options.folder} holds no *.json, *.txt or *.bin`);
  let own: OwnWalkin | null = null;
  try {
    let bidder: Bidder = { address: options.address ?? '', noticeBase: options.noticeBase, perUsd: null };
    if (options.address === null) {
      console.log('Starting a Walkin on a temporary folder, with a line item for every format that always wants to bid');
      own = await startOwnWalkin(process.env);
      for (const signal of ['SIGINT', 'SIGTERM'] as const)
        process.once(signal, () => void own?.stop().then(() => process.exit(1)));
      bidder = await startPatiently(own, samples);
    }
    const outcome = await conform(samples, bidder, options);
    report(outcome);
    if (outcome.failures.length > 0) process.exitCode = 1;
  } finally {
    await own?.stop();
  }
}

try {
  await run(readOptions(process.argv.slice(2)));
} catch (error) {
  console.error(error instanceof ReplayError ? error.message : error);
  process.exitCode = 1;
}
