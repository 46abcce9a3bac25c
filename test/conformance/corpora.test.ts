import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCorpus, type Sample } from '../../load-tests/conformance/corpus.ts';
import { type Outcome, runConformance } from '../../load-tests/conformance/run.ts';
import { wishesOf } from '../../load-tests/conformance/wishes.ts';
import { type AlwaysBidder, startAlways } from './support/always.ts';

/** The real requests of the shared data, sent in each way; skipped, saying so, where they are not there. */

const SHARED = resolve(process.env['WALKIN_SHARED'] ?? '../shared', 'data/openrtb');

describe.each(['valid', 'invalid'])('the corpus %s', (name) => {
  const folder = resolve(SHARED, name);
  let always: AlwaysBidder;
  let samples: Sample[];
  let outcome: Outcome;

  beforeAll(async () => {
    if (!existsSync(folder)) return;
    samples = await readCorpus(folder);
    always = await startAlways(wishesOf(samples));
    outcome = await runConformance(samples, always.send, { protobuf: true, gzip: true, terms: always.terms });
  }, 60_000);

  afterAll(() => always?.close());

  it('is answered as the judge wants it, in JSON, protobuf and gzip alike', ({ skip }) => {
    if (!existsSync(folder)) skip(`there is no ${folder}`);
    expect(outcome.failures).toEqual([]);
    expect(outcome.passed).toBeGreaterThan(samples.length * 2);
  });

  it('gets bids wherever format and privacy allow them, but for a few', ({ skip }) => {
    if (!existsSync(folder) || name === 'invalid') skip(`there is no ${folder}, or it is not about bids`);
    const { allowed, bid } = outcome.chances;
    expect(allowed).toBeGreaterThan(50);
    expect(bid / allowed).toBeGreaterThanOrEqual(0.8);
  });

  it('shows no bug of the bidder', async ({ skip }) => {
    if (!existsSync(folder)) skip(`there is no ${folder}`);
    expect(await always.bidder.count('errors')).toBe(0);
  });
});
