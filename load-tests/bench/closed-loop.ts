import { type Line, openLine, type Reply } from './line.ts';

export interface ClosedLoopOptions {
  readonly port: number;
  readonly message: (call: number) => Buffer;
  /** Number of the first call. */
  readonly first: number;
  readonly seconds: number;
  /** Each keeps one call under way. */
  readonly lines?: number;
}

export interface ClosedLoopResult {
  /** Answers a second. */
  readonly rate: number;
  readonly answers: number;
  readonly bids: number;
  readonly errors: number;
  /** Number of the call after the last one. */
  readonly next: number;
  readonly generatorCpu: number;
}

/** A worker has enough to do with so many. */
export const LINES = 32;

/** As much as the server takes: a new call when one is answered. Says nothing of latency, since it waits while the server stalls. */
export async function runClosedLoop(options: ClosedLoopOptions): Promise<ClosedLoopResult> {
  const { port, message, seconds, lines: count = LINES } = options;
  const lines = Array.from({ length: count }, () => openLine(port));
  const tally = { answers: 0, bids: 0, errors: 0 };
  let next = options.first;
  const since = performance.now();
  const until = since + seconds * 1_000;
  const cpu = process.cpuUsage();
  await Promise.all(lines.map(keepBusy));
  const elapsed = (performance.now() - since) / 1_000;
  const used = process.cpuUsage(cpu);
  for (const line of lines) line.close();
  return { ...tally, rate: tally.answers / elapsed, next, generatorCpu: (used.user + used.system) / 1e6 / elapsed };

  function keepBusy(line: Line): Promise<void> {
    return new Promise((resolve) => {
      const call = (): void => {
        if (performance.now() >= until) resolve();
        else
          line.send(message(next++), (reply) => {
            take(reply);
            call();
          });
      };
      call();
    });
  }

  function take(reply: Reply | null): void {
    if (reply?.status === 200 || reply?.status === 204) {
      tally.answers++;
      if (reply.status === 200) tally.bids++;
    } else tally.errors++;
  }
}

/** The answers to calls 0 … count − 1, in their order. */
export async function askAll(port: number, message: (call: number) => Buffer, count: number): Promise<(Reply | null)[]> {
  const replies: (Reply | null)[] = Array.from({ length: count }, () => null);
  const lines = Array.from({ length: 8 }, () => openLine(port, { keepBodies: true }));
  let next = 0;
  await Promise.all(
    lines.map(async (line) => {
      while (next < count) {
        const call = next++;
        replies[call] = await new Promise((resolve) => line.send(message(call), resolve));
      }
    }),
  );
  for (const line of lines) line.close();
  return replies;
}
