import { AD_EVENT_STREAM } from '../../proto/keys.ts';
import { type ClosedLoopResult, runClosedLoop } from './closed-loop.ts';
import type { Rig, Server } from './rig.ts';
import { say } from './say.ts';

/** Numbers of calls, so that no measurement asks for the people of the one before. */
export interface Calls {
  next: number;
}

export async function warmUp(rig: Rig, server: Server, calls: Calls, seconds: number): Promise<void> {
  await measure(rig, server, calls, seconds);
}

/** One closed-loop round. */
export async function measure(rig: Rig, { port }: Server, calls: Calls, seconds: number): Promise<ClosedLoopResult> {
  const result = await runClosedLoop({ port, message: rig.traffic.message, first: calls.next, seconds });
  calls.next = result.next;
  // Nobody reads the events here; production trims what the warehouse has taken.
  await rig.redis.xtrim(AD_EVENT_STREAM, 'MAXLEN', 0);
  return result;
}

/** Answers a second over several rounds: all answers over all time. */
export interface Capacity {
  readonly rate: number;
  readonly bidRate: number;
  readonly errors: number;
}

export function capacityOf(rounds: readonly ClosedLoopResult[]): Capacity {
  const answers = rounds.reduce((sum, round) => sum + round.answers, 0);
  const seconds = rounds.reduce((sum, { answers: count, rate }) => sum + (rate === 0 ? 0 : count / rate), 0);
  return {
    rate: seconds === 0 ? 0 : answers / seconds,
    bidRate: answers === 0 ? 0 : rounds.reduce((sum, { bids }) => sum + bids, 0) / answers,
    errors: rounds.reduce((sum, { errors }) => sum + errors, 0),
  };
}

export function sayRounds(what: string, rounds: readonly ClosedLoopResult[]): void {
  const rates = rounds.map(({ rate }) => Math.round(rate).toLocaleString('en')).join(', ');
  const cpu = Math.round(100 * Math.max(...rounds.map(({ generatorCpu }) => generatorCpu)));
  say(`${what}: ${rates} answers a second; the generator took at most ${cpu} % of its core`);
  const { errors } = capacityOf(rounds);
  if (errors > 0) say(`  NOT VALID: ${errors} broken connections or other statuses`);
}

export const round = (value: number, digits: number): number => Number(value.toFixed(digits));
