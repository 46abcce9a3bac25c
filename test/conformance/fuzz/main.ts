import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { readCorpus } from '../../../load-tests/conformance/corpus.ts';
import { wishesOf } from '../../../load-tests/conformance/wishes.ts';
import { startAlways } from '../support/always.ts';
import { fuzz } from './fuzz.ts';
import { ownCorpus } from './own-corpus.ts';

const command = new Command('npm run fuzz --')
  .description('Sends spoilt bid requests to a bidder in this process and judges its answers.')
  .option('--mutants <number>', 'how many', '100000')
  .option('--seed <number>', 'the same seed makes the same mutants', '1')
  .option('--corpus <folder>', 'requests to spoil', resolve(process.env['WALKIN_SHARED'] ?? '../shared', 'data/openrtb'))
  .parse();
const { mutants, seed, corpus: folder } = command.opts<{ mutants: string; seed: string; corpus: string }>();
const corpus = existsSync(folder) ? await readCorpus(folder) : ownCorpus();
if (!existsSync(folder)) console.log(`There is no ${folder}: only the requests of the fixtures are spoilt.`);
const always = await startAlways(wishesOf(corpus));
const started = performance.now();
const report = await fuzz(always, corpus, Number(mutants), Number(seed));
await always.close();
for (const { mutant, faults, sent } of report.failures)
  console.log(`FAIL mutant ${mutant}: ${faults.join('; ')}\n  ${sent.slice(0, 2_000)}`);
const seconds = Math.round((performance.now() - started) / 1000);
console.log(
  `${report.mutants} mutants of ${corpus.length} requests in ${seconds} s, seed ${seed}: ${JSON.stringify(report.answers)}`,
);
console.log(
  `Resident ${report.memory.quarter} MB after a quarter, ${report.memory.end} MB at the end; slowest answer ${report.slowest.toFixed(0)} ms; bugs ${report.bugs}`,
);
console.log(`${report.mutants - report.failed} passed, ${report.failed} failed`);
if (report.failed > 0 || report.bugs > 0) process.exitCode = 1;
