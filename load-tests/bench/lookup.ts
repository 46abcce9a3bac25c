import { setTimeout as sleep } from 'node:timers/promises';
import { startData } from './freshness.ts';
import type { Options } from './options.ts';
import { setUpRig } from './rig.ts';
import { BenchError, say } from './say.ts';

export interface LookupTimes {
  /** From the call of a page to the whole answer, one call at a time. */
  readonly lookupP50Ms: number;
  readonly lookupP99Ms: number;
  /** The same of many pages at once: `CALLERS`, each of which asks again every `PACE_MS`. */
  readonly togetherP50Ms: number;
  readonly togetherP99Ms: number;
}

/** It asks for one key of Redis, whatever else is in there. */
const SMALL = 0.001;
const VISITORS = 200;
const WARM = 200;
const CALLERS = 16;
const PACE_MS = 40;

/** A page asks which segments its visitor is in, of a dmp that runs as it does for real. */
export async function benchLookup(options: Options): Promise<LookupTimes> {
  const rig = await setUpRig({ ...options, scale: SMALL });
  const data = await startData(rig, options);
  try {
    const visitors = Array.from({ length: VISITORS }, (_, n) => ({ kind: 'cookie', value: `visitor-${n}` }));
    await data.call('PUT', 'advertisers/shop', { name: 'Shop', domains: ['shop.example'] });
    await data.call('PUT', 'sources/site', { name: 'Site', party: '1p', destinations: ['lookup'] });
    const segment = { advertiser: 'shop', name: 'Met', rule: { attribute: { name: 'met' } } };
    await data.call('PUT', 'segments/met', segment);
    await data.call('PUT', 'destinations/site', {
      advertiser: 'shop',
      name: 'Site',
      kind: 'lookup',
      segments: [{ segment: 'met' }],
    });
    const at = new Date().toISOString();
    const events = visitors.map((visitor) => ({ type: 'identify', at, identifiers: [visitor], attributes: { met: 1 } }));
    await data.call('POST', 'events?source=site', events);
    const { id } = await data.call<{ id: string }>('POST', 'refresh', {});
    for (let state = 'queued'; state !== 'succeeded'; ) {
      await sleep(100);
      ({ state } = await data.call<{ state: string }>('GET', `jobs/${id}`));
      if (state === 'failed' || state === 'cancelled') throw new BenchError(`the refresh ${state}`);
    }
    const ask = (n: number) =>
      data.call<{ segments: string[] }>('POST', 'memberships:lookup', {
        advertiser: 'shop',
        identifiers: [visitors[n % VISITORS]],
      });
    const timeOne = async (n: number): Promise<number> => {
      const began = performance.now();
      const { segments } = await ask(n);
      if (segments.length !== 1) throw new BenchError('a visitor is not in the segment');
      return performance.now() - began;
    };
    for (let n = 0; n < WARM; n++) await timeOne(n);
    const alone: number[] = [];
    const half = options.seconds * 500;
    for (let n = 0, until = performance.now() + half; performance.now() < until || n < 100; n++) alone.push(await timeOne(n));
    const together = await timeTogether(timeOne, half);
    say(`${alone.length} lookups over HTTP one after the other, then ${together.length} of ${CALLERS} pages at once`);
    return {
      lookupP50Ms: quantile(alone, 0.5),
      lookupP99Ms: quantile(alone, 0.99),
      togetherP50Ms: quantile(together, 0.5),
      togetherP99Ms: quantile(together, 0.99),
    };
  } finally {
    await data.stop();
    await rig.stop();
  }
}

/** Each caller asks when its time has come, and again at once where the answer before came later than that. */
async function timeTogether(timeOne: (n: number) => Promise<number>, ms: number): Promise<number[]> {
  const times: number[] = [];
  const began = performance.now();
  const caller = async (_: unknown, index: number): Promise<void> => {
    for (let n = 0; performance.now() - began < ms || n < 10; n++) {
      const due = began + n * PACE_MS + (index * PACE_MS) / CALLERS;
      if (due > performance.now()) await sleep(due - performance.now());
      times.push(await timeOne(index + n * CALLERS));
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return times;
}

function quantile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  const found = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number;
  return Math.round(found * 100) / 100;
}
