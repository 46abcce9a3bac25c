// `npm run draws`: is the lift right? The city, against one fresh Walkin after another, each with another holdout.
import { Command, InvalidArgumentError } from 'commander';
import { type CitySettings, DEFAULTS, startBefore } from '../city/settings.ts';
import { type OwnWalkin, startOwnWalkin } from '../replay/own-walkin.ts';
import { ReplayError, say } from '../replay/say.ts';
import { type Draw, draw, isFair, pepperOf } from './draw.ts';
import { sentence, summary, table } from './table.ts';

interface Flags {
  readonly draws: number;
  readonly from: number;
  readonly shoppers: number;
  readonly days: number;
  readonly seed: number;
  readonly effect: number;
  readonly holdout: number;
}

const program = new Command('npm run draws --')
  .description(
    'Plays the simulated city against one fresh Walkin after another, each with another holdout, and holds the lift against the truth',
  )
  .option('--draws <n>', 'how many', whole, 12)
  .option('--from <n>', 'number of the first; a number always holds out the same people', whole, 1)
  .option('--shoppers <n>', 'people of the city', whole, 1_200)
  .option('--days <n>', 'days with ads', whole, 12)
  .option('--seed <n>', 'another city', whole, DEFAULTS.seed)
  .option('--effect <share>', 'what a recent ad adds to the daily chance to visit', share, 0.03)
  .option('--holdout <percent>', 'people never served', share, DEFAULTS.holdout);

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0)) throw new InvalidArgumentError('not a number from 0');
  return value;
}

function whole(text: string): number {
  const value = share(text);
  if (!Number.isSafeInteger(value) || value === 0) throw new InvalidArgumentError('not a whole number from 1');
  return value;
}

let walkin: OwnWalkin | null = null;

async function main({ draws: count, from, shoppers, days, seed, effect, holdout }: Flags): Promise<void> {
  const settings: CitySettings = { seed, shoppers, days, effect, holdout, start: startBefore(Date.now(), days), attempt: 1 };
  const done: Draw[] = [];
  try {
    for (let number = from; number < from + count; number++) {
      walkin = await startOwnWalkin(process.env, { pepper: pepperOf(seed, number) });
      const one = await draw(walkin.target, settings, number).finally(() => walkin?.stop());
      done.push(one);
      say(`draw ${number}: ${sentence(one)}`);
    }
  } finally {
    if (done.length > 0) console.log(`\n${table(done)}\n\n${JSON.stringify(summary(settings, done))}`);
  }
  if (!done.every(isFair)) process.exitCode = 1;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void walkin?.stop().then(() => process.exit(1)));

try {
  await main(program.parse().opts<Flags>());
} catch (error) {
  console.error(error instanceof ReplayError ? error.message : error);
  process.exitCode = 1;
}
