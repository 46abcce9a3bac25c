import type { Answer, Call, Connection } from './connection.ts';

/** How long a caller goes on asking before it gives up. */
export interface Patience {
  /** Milliseconds in all. */
  readonly total: number;
  /** Milliseconds before the second attempt; doubled each time. */
  readonly first: number;
  readonly longest: number;
}

export const PATIENT: Patience = { total: 75_000, first: 50, longest: 2_000 };

/** What a server answers when the same call may do later. */
const LATER = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Sends until there is an answer that is not "later". Only for what may be repeated: events and notices have natural keys,
 * resources are put under our own ids. Throws with the address and the last fault when patience ends.
 */
export async function persist(connection: Connection, call: Call, patience: Patience = PATIENT): Promise<Answer> {
  const giveUp = performance.now() + patience.total;
  let wait = patience.first;
  for (;;) {
    const outcome = await attempt(connection, call);
    if (!(outcome instanceof Error) && !LATER.has(outcome.status)) return outcome;
    if (performance.now() + wait > giveUp) throw exhausted(connection, call, outcome);
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(patience.longest, wait * 2);
  }
}

async function attempt(connection: Connection, call: Call): Promise<Answer | Error> {
  try {
    return await connection.send(call);
  } catch (error) {
    return error as Error;
  }
}

function exhausted(connection: Connection, call: Call, outcome: Answer | Error): Error {
  const fault = outcome instanceof Error ? outcome.message : `${outcome.status} ${outcome.body.toString('utf8', 0, 300)}`;
  return new Error(`${call.method ?? 'GET'} ${connection.base}${call.path.slice(0, 200)}: ${fault}`);
}
