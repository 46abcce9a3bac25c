// `npm run pepper`: replaces the secret under which identifiers are keyed, and forgets an old one. It acts with the next start.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { openSecrets, retirePepper, rotatePepper, type Secrets, secretsFile } from './secrets.ts';
import { StartError } from './start-error.ts';

const ACTS: Readonly<Record<string, (folder: string) => Secrets>> = {
  status: openSecrets,
  rotate: rotatePepper,
  retire: retirePepper,
};

function run(act: string, data: string): string {
  const work = ACTS[act];
  if (work === undefined) throw new StartError(`there is no ${act}: ${Object.keys(ACTS).join(', ')}`);
  if (!existsSync(secretsFile(data))) throw new StartError(`${data} has no secrets yet: start Walkin once`);
  const older = work(data).oldPeppers?.length ?? 0;
  const honoured =
    older === 0 ? 'one pepper, no old one' : `one pepper, and ${older} of before ${older === 1 ? 'is' : 'are'} honoured`;
  return act === 'status' ? honoured : `${honoured}. Start Walkin again for it to act.`;
}

const program = new Command('npm run pepper --')
  .description('Replaces the secret under which identifiers are keyed. docs/identity.md tells how.')
  .argument('[act]', 'status; rotate: a new pepper, the old one is honoured; retire: the oldest is forgotten', 'status')
  .option('--data <folder>', 'data folder (WALKIN_DATA_DIR, ./data)')
  .parse();

try {
  const { data } = program.opts<{ data?: string }>();
  console.log(run(program.processedArgs[0] as string, resolve(data ?? (process.env['WALKIN_DATA_DIR'] || './data'))));
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
