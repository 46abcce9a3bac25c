import { type Calls, capacityOf, measure, round, sayRounds, warmUp } from './capacity.ts';
import { LINES } from './closed-loop.ts';
import { processorUs } from './machine.ts';
import type { Options } from './options.ts';
import type { Rig } from './rig.ts';
import { say } from './say.ts';

const ROUNDS = 3;

/**
 * Two workers against one, none pinned, with as many connections to each. On two cores the generator and Redis take their part of the second worker's
 * core, so the rates do not show what a second worker brings; what an answer costs all processes of the bidder shows what is lost by sharing.
 */
export async function benchCluster(rig: Rig, { seconds }: Options): Promise<object> {
  const one = await capacityWith(rig, 1, seconds);
  const two = await capacityWith(rig, 2, seconds);
  say('Workers are not pinned here');
  return {
    one: round(one.rate, 0),
    two: round(two.rate, 0),
    ratio: round(two.rate / one.rate, 3),
    oneUs: round(one.us, 1),
    twoUs: round(two.us, 1),
    costRatio: round(two.us / one.us, 3),
    shows:
      'oneUs and twoUs: what an answer takes of the processor in all processes of the bidder, so costRatio is the price of a second worker; one, two and ratio are those of cores that generator and Redis share with the workers, and say nothing of workers with cores of their own',
  };
}

/** Answers a second, and what an answer takes of the processor: workers, their primary and the compiler. */
interface Cost {
  readonly rate: number;
  readonly us: number;
}

async function capacityWith(rig: Rig, workers: number, seconds: number): Promise<Cost> {
  const bidder = await rig.startBidder({ workers, core: null });
  const lines = workers * LINES;
  const calls: Calls = { next: 0 };
  await warmUp(rig, bidder, calls, Math.min(5, seconds), lines);
  const processes = [bidder.pid, ...(await bidder.pids()), ...(await bidder.beside())];
  const spent = (): number => processes.reduce((sum, pid) => sum + processorUs(pid), 0);
  const before = spent();
  const rounds = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await measure(rig, bidder, calls, seconds, lines));
  const answers = rounds.reduce((sum, { answers: own }) => sum + own, 0);
  const us = (spent() - before) / Math.max(1, answers);
  sayRounds(`${workers} worker${workers === 1 ? '' : 's'}`, rounds);
  await bidder.stop();
  return { rate: capacityOf(rounds).rate, us };
}
