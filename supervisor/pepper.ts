// `npm run pepper`: replaces the secret under which identifiers are keyed, and forgets an old one. The installation's acts with the next
// start, an advertiser's at once.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { openSecrets, retirePepper, rotatePepper, type Secrets, secretsFile } from './secrets.ts';
import { StartError } from './start-error.ts';
import { TENANT_ACTS, tenantPepper } from './tenant-pepper.ts';

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

function runFor(advertiser: string, act: string, data: string, api?: string): Promise<string> {
  const known = TENANT_ACTS.find((one) => one === act);
  if (known === undefined) throw new StartError(`there is no ${act}: ${TENANT_ACTS.join(', ')}`);
  const address = api ?? `http://127.0.0.1:${process.env['WALKIN_API_PORT'] || '8081'}`;
  return tenantPepper(address, process.env['WALKIN_KEY'] || openSecrets(data).adminKey, advertiser, known);
}

const program = new Command('npm run pepper --')
  .description('Replaces the secret under which identifiers are keyed. docs/identity.md tells how.')
  .argument('[act]', 'status; rotate: a new pepper, the old one is honoured; retire: the oldest is forgotten', 'status')
  .option('--data <folder>', 'data folder (WALKIN_DATA_DIR, ./data)')
  .option(
    '--advertiser <id>',
    'its pepper and not the installation’s: acts at once, while Walkin runs; honour: one that was retired',
  )
  .option('--api <address>', 'of the Walkin that runs (WALKIN_API_PORT on this machine)')
  .parse();

try {
  const { data, advertiser, api } = program.opts<{ data?: string; advertiser?: string; api?: string }>();
  const folder = resolve(data ?? (process.env['WALKIN_DATA_DIR'] || './data'));
  const act = program.processedArgs[0] as string;
  console.log(advertiser === undefined ? run(act, folder) : await runFor(advertiser, act, folder, api));
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
