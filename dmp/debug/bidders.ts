import {
  type AnnouncedBidder,
  BIDDER_SILENT_MS,
  type DebugAnswer,
  type DebugBid,
  type DebugBidAnswer,
  type DebugCounts,
  type DebugCountsAnswer,
  type DebugQuestion,
  type DebugRequests,
  type DebugRequestsAnswer,
  debugKey,
} from '../../proto/debug.ts';
import { BIDDERS_KEY } from '../../proto/keys.ts';
import type { DmpDeps } from '../deps.ts';
import { Problem } from '../problem.ts';

type AskDeps = Pick<DmpDeps, 'redis' | 'pepper' | 'now' | 'log'>;

const PATIENCE_MS = 20_000;

/** Asks one bidder, the next one where it does not answer. Throws a Problem where nobody does. */
export async function askBid(deps: AskDeps, question: DebugBid): Promise<DebugBidAnswer> {
  for (const address of await addressesOf(deps)) {
    const [answer] = (await ask(deps, address, question)) ?? [];
    if (answer !== undefined) return answer as DebugBidAnswer;
  }
  throw unavailable();
}

/** Asks all workers of all bidders; those that do not answer are left out. */
export async function askAll(deps: AskDeps, question: DebugCounts): Promise<DebugCountsAnswer[]>;
export async function askAll(deps: AskDeps, question: DebugRequests): Promise<DebugRequestsAnswer[]>;
export async function askAll(deps: AskDeps, question: DebugQuestion): Promise<DebugAnswer[]> {
  const answers = await Promise.all((await addressesOf(deps)).map((address) => ask(deps, address, question)));
  const told = answers.flatMap((answer) => answer ?? []);
  if (told.length === 0) throw unavailable();
  return told;
}

async function addressesOf({ redis, now }: AskDeps): Promise<string[]> {
  const announced = Object.entries(await redis.hgetall(BIDDERS_KEY)).map(([name, value]) => ({ name, ...readAnnounced(value) }));
  const gone = announced.filter(({ at }) => now() - at > BIDDER_SILENT_MS);
  // One that was killed could not say so itself.
  if (gone.length > 0) await redis.hdel(BIDDERS_KEY, ...gone.map(({ name }) => name));
  return announced.filter((bidder) => !gone.includes(bidder)).map(({ address }) => address);
}

function readAnnounced(value: string): AnnouncedBidder {
  try {
    return JSON.parse(value) as AnnouncedBidder;
  } catch {
    return { address: '', at: 0 };
  }
}

/** Null where it does not answer, or cannot. */
async function ask({ pepper, log }: AskDeps, address: string, question: DebugQuestion): Promise<DebugAnswer[] | null> {
  try {
    const response = await fetch(`${address}/debug`, {
      method: 'POST',
      headers: { authorization: `Bearer ${debugKey(pepper)}`, 'content-type': 'application/json' },
      body: JSON.stringify(question),
      signal: AbortSignal.timeout(PATIENCE_MS),
      redirect: 'error',
    });
    if (response.ok) return ((await response.json()) as { answers: DebugAnswer[] }).answers;
    log.warn({ address, status: response.status }, 'a bidder did not answer the debugger');
    await response.body?.cancel();
  } catch (error) {
    log.warn({ address, err: error }, 'a bidder did not answer the debugger');
  }
  return null;
}

function unavailable(): Problem {
  return new Problem(503, 'unavailable', 'No bidder can be asked', {
    detail: 'none runs, serves a snapshot with this exchange, or has the time',
    headers: { 'retry-after': '2' },
  });
}
