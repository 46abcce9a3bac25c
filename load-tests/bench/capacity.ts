import { AD_EVENT_STREAM } from '../../proto/keys.ts';
import { type ClosedLoopResult, runClosedLoop } from './closed-loop.ts';
import { processorUs } from './machine.ts';
import type { Rig, Server } from './rig.ts';
import { say } from './say.ts';

/** Numbers of calls, so that no measurement asks for the people of the one before. */
export interface Calls {
  next: number;
}

/** Rounds after which it is measured, whatever it is. */
const MOST_ROUNDS = 8;
/** Of the processor: a round that takes less than so much of the least one so far has shown that it is getting faster. */
const FASTER = 0.98;

/** Rounds of so many seconds until an answer does not get cheaper any more: V8 compiles what a server does for half a minute and more. */
export async function warmUp(rig: Rig, server: Server, calls: Calls, seconds: number, lines?: number): Promise<void> {
  let least = Number.POSITIVE_INFINITY;
  for (let done = 0; done < MOST_ROUNDS; done++) {
    const { processorUs: spent, answers } = await measure(rig, server, calls, seconds, lines);
    const each = spent / Math.max(1, answers);
    if (each > FASTER * least) return;
    least = each;
  }
}

/** A closed-loop round, and what the server's processes took for it. */
export interface Round extends ClosedLoopResult {
  /** Microseconds of the processor. */
  readonly processorUs: number;
  /** Microseconds of the clock that never jumps, as profiles have them. */
  readonly from: number;
  readonly to: number;
}

/** One closed-loop round, over so many connections where another number is given. */
export async function measure(rig: Rig, { port, pids }: Server, calls: Calls, seconds: number, lines?: number): Promise<Round> {
  const processes = await pids();
  const spent = (): number => processes.reduce((sum, pid) => sum + processorUs(pid), 0);
  const [from, before] = [clockUs(), spent()];
  const given = lines === undefined ? {} : { lines };
  const answers = await runClosedLoop({ port, message: rig.traffic.message, first: calls.next, seconds, ...given });
  const result = { ...answers, processorUs: spent() - before, from, to: clockUs() };
  calls.next = result.next;
  // Nobody reads the events here; production trims what the warehouse has taken.
  await rig.redis.xtrim(AD_EVENT_STREAM, 'MAXLEN', 0);
  return result;
}

/** Of the clock that never jumps, as profiles have it. */
export function clockUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

/** Answers a second over several rounds: all answers over all time. */
export interface Capacity {
  readonly rate: number;
  readonly bidRate: number;
  readonly errors: number;
  /** Of the processor, an answer; what others take on the same core does not change it much. */
  readonly processorUs: number;
  /** Share of a core. */
  readonly busy: number;
}

export function capacityOf(rounds: readonly Round[]): Capacity {
  const answers = rounds.reduce((sum, round) => sum + round.answers, 0);
  const seconds = rounds.reduce((sum, { answers: count, rate }) => sum + (rate === 0 ? 0 : count / rate), 0);
  const spent = rounds.reduce((sum, { processorUs: own }) => sum + own, 0);
  return {
    rate: seconds === 0 ? 0 : answers / seconds,
    bidRate: answers === 0 ? 0 : rounds.reduce((sum, { bids }) => sum + bids, 0) / answers,
    errors: rounds.reduce((sum, { errors }) => sum + errors, 0),
    processorUs: answers === 0 ? 0 : spent / answers,
    busy: seconds === 0 ? 0 : spent / 1e6 / seconds,
  };
}

export function sayRounds(what: string, rounds: readonly Round[]): void {
  const rates = rounds.map(({ rate }) => Math.round(rate).toLocaleString('en')).join(', ');
  const cpu = Math.round(100 * Math.max(...rounds.map(({ generatorCpu }) => generatorCpu)));
  say(`${what}: ${rates} answers a second; the generator took at most ${cpu} % of its core`);
  const { errors, processorUs: own, busy } = capacityOf(rounds);
  say(`  an answer took ${own.toFixed(1)} µs of the processor; it was busy for ${Math.round(100 * busy)} % of the time`);
  if (errors > 0) say(`  NOT VALID: ${errors} broken connections or other statuses`);
}

export const round = (value: number, digits: number): number => Number(value.toFixed(digits));
