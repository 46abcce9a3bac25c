import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCorpus, type Sample } from '../../load-tests/conformance/corpus.ts';
import { wishesOf } from '../../load-tests/conformance/wishes.ts';
import { fuzz } from './fuzz/fuzz.ts';
import { ownCorpus } from './fuzz/own-corpus.ts';
import { type AlwaysBidder, startAlways } from './support/always.ts';

/** A small share of `npm run fuzz -- --mutants 100000`, always the same one. */
const MUTANTS = 2_000;
const SHARED = resolve(process.env['WALKIN_SHARED'] ?? '../shared', 'data/openrtb');

let corpus: Sample[];
let always: AlwaysBidder;

beforeAll(async () => {
  corpus = [...ownCorpus(), ...(existsSync(SHARED) ? await readCorpus(SHARED) : [])];
  always = await startAlways(wishesOf(corpus));
});
afterAll(() => always.close());

it('answers spoilt requests without a fault', { timeout: 120_000 }, async () => {
  const { failures, failed, bugs, answers } = await fuzz(always, corpus, MUTANTS, 20_261_122);
  expect(failures).toEqual([]);
  expect({ failed, bugs }).toEqual({ failed: 0, bugs: 0 });
  // The mutants are neither all refused nor all fine.
  for (const kind of ['bid', 'no bid', 'refused']) expect(answers[kind]).toBeGreaterThan(MUTANTS / 20);
});
