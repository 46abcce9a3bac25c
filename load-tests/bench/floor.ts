import { type Calls, capacityOf, measure, round, sayRounds, warmUp } from './capacity.ts';
import { residentMb } from './machine.ts';
import type { Options } from './options.ts';
import type { Rig } from './rig.ts';
import { say } from './say.ts';
import { autocannonRate } from './second-opinion.ts';

const ROUNDS = 3;

/** What a server that decides nothing takes. */
export async function benchFloor(rig: Rig, { seconds }: Options): Promise<object> {
  const bidder = await rig.startBidder();
  const floor = await rig.startFloor(bidder);
  await bidder.stop();
  const calls: Calls = { next: 0 };
  await warmUp(rig, floor, calls, Math.min(3, seconds));
  const rounds = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await measure(rig, floor, calls, seconds));
  sayRounds('The bare server', rounds);
  say(`autocannon finds ${Math.round(await autocannonRate(floor.port, rig.traffic, seconds)).toLocaleString('en')} a second`);
  const { rate, bidRate } = capacityOf(rounds);
  const [pid = 0] = await floor.pids();
  return { capacity: round(rate, 0), bidRate: round(bidRate, 3), rssMb: residentMb(pid) };
}
