import { type Calls, capacityOf, measure, round, sayRounds, warmUp } from './capacity.ts';
import type { Options } from './options.ts';
import type { Rig } from './rig.ts';
import { say } from './say.ts';

const ROUNDS = 3;

/** Two workers against one, none pinned. On two cores the generator and Redis take their part of the second worker's core. */
export async function benchCluster(rig: Rig, { seconds }: Options): Promise<object> {
  const one = await capacityWith(rig, 1, seconds);
  const two = await capacityWith(rig, 2, seconds);
  say('Workers are not pinned here');
  return { one: round(one, 0), two: round(two, 0), ratio: round(two / one, 3) };
}

async function capacityWith(rig: Rig, workers: number, seconds: number): Promise<number> {
  const bidder = await rig.startBidder({ workers, core: null });
  const calls: Calls = { next: 0 };
  await warmUp(rig, bidder, calls, Math.min(5, seconds));
  const rounds = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await measure(rig, bidder, calls, seconds));
  sayRounds(`${workers} worker${workers === 1 ? '' : 's'}`, rounds);
  await bidder.stop();
  return capacityOf(rounds).rate;
}
