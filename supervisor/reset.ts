// `npm run reset`: deletes the data folder, after asking. Never another folder, and never under a running Walkin.
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { isDataFolder } from './data-folder.ts';
import { seeOffLeftovers } from './leftovers.ts';
import { lockDataFolder } from './lock.ts';
import { clearRedis, redisPaths } from './redis.ts';
import { StartError } from './start-error.ts';

async function reset(data: string, yes: boolean): Promise<string> {
  if (!existsSync(data)) return `There is no data folder ${data}: nothing to delete.`;
  if (!isDataFolder(data)) throw new StartError(`${data} is not a data folder of Walkin: nothing was deleted`);
  // Held until all is gone, so that no start can slip in between.
  const lock = lockDataFolder(data, new Date());
  try {
    if (!yes && !(await confirmed(data))) return 'Nothing was deleted.';
    await seeOffLeftovers(data);
    await clearRedis(redisPaths(data));
    await rm(data, { recursive: true, force: true });
    return `Deleted ${data}.`;
  } finally {
    lock.release();
  }
}

async function confirmed(data: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new StartError('there is no terminal to ask on: repeat with `npm run reset -- --yes`');
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`Delete ${data} with everything in it? Type yes: `);
  terminal.close();
  return answer.trim().toLowerCase() === 'yes';
}

const options = new Command('npm run reset --')
  .description('Deletes the data folder.')
  .option('--data <folder>', 'data folder (WALKIN_DATA_DIR, ./data)')
  .option('--yes', 'do not ask')
  .parse()
  .opts<{ data?: string; yes?: boolean }>();

try {
  console.log(await reset(resolve(options.data ?? (process.env['WALKIN_DATA_DIR'] || './data')), options.yes === true));
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
