import autocannon from 'autocannon';
import { EXCHANGE } from './line-items.ts';
import type { Traffic } from './requests.ts';

/** autocannon keeps a copy of each message for each connection. */
const MESSAGES = 256;
const CONNECTIONS = 32;

/** Answers a second by a generator that is not ours. Closed loop only: with a rate its latencies are false (docs/benchmarks.md). */
export async function autocannonRate(port: number, { message, templates }: Traffic, seconds: number): Promise<number> {
  const requests = templates.slice(0, MESSAGES).map(({ bodyAt }, call) => ({
    method: 'POST' as const,
    path: `/openrtb2/${EXCHANGE}`,
    headers: { 'content-type': 'application/json', 'x-openrtb-version': '2.6' },
    body: message(call).subarray(bodyAt),
  }));
  const { requests: answered, duration } = await autocannon({
    url: `http://127.0.0.1:${port}`,
    connections: CONNECTIONS,
    duration: Math.max(1, Math.round(seconds)),
    requests,
  });
  return answered.total / duration;
}
