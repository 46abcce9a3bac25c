import { type Calls, capacityOf, measure, type Round, round, sayRounds, warmUp } from './capacity.ts';
import { residentMb } from './machine.ts';
import { sayMetrics } from './metrics.ts';
import type { Options } from './options.ts';
import { profileFlags, sayProfile } from './profile.ts';
import type { BidderOptions, Rig } from './rig.ts';
import { say } from './say.ts';

const ROUNDS = 3;

/** Closed-loop capacity of one worker and of the bare server, in turns, so that what else the machine does hits both. */
export async function benchBid(rig: Rig, options: Options): Promise<BidResult> {
  return compareWithFloor(rig, options, {});
}

export interface BidResult {
  readonly capacity: number;
  readonly floor: number;
  readonly ratio: number;
  readonly bidRate: number;
  readonly rssMb: number;
}

export async function compareWithFloor(rig: Rig, { seconds, profile }: Options, how: BidderOptions): Promise<BidResult> {
  const bidder = await rig.startBidder(profile ? { ...how, flags: profileFlags(rig.folder) } : how);
  const calls: Calls = { next: 0 };
  await warmUp(rig, bidder, calls, Math.min(5, seconds));
  const floor = await rig.startFloor(bidder);
  await warmUp(rig, floor, calls, Math.min(3, seconds));
  const before = await bidder.metrics();
  const [bids, floors]: [Round[], Round[]] = [[], []];
  for (let i = 0; i < ROUNDS; i++) {
    floors.push(await measure(rig, floor, calls, seconds));
    bids.push(await measure(rig, bidder, calls, seconds));
  }
  sayRounds('The bare server', floors);
  sayRounds('The bidder', bids);
  sayMetrics(before, await bidder.metrics());
  const [own, bare] = [capacityOf(bids), capacityOf(floors)];
  say(`The bare server took ${(bare.processorUs / own.processorUs).toFixed(3)} of the bidder's processor time an answer`);
  const rssMb = Math.max(...(await bidder.pids()).map(residentMb));
  await floor.stop();
  await bidder.stop();
  if (profile) sayProfile(rig.folder, bids);
  return {
    capacity: round(own.rate, 0),
    floor: round(bare.rate, 0),
    ratio: round(own.rate / bare.rate, 3),
    bidRate: round(own.bidRate, 3),
    rssMb,
  };
}
