import { setTimeout as sleep } from 'node:timers/promises';
import { startData } from './freshness.ts';
import type { Options } from './options.ts';
import { setUpRig } from './rig.ts';
import { BenchError, say } from './say.ts';

export interface LookupTimes {
  /** From the call of a page to the whole answer, one call at a time. */
  readonly lookupP50Ms: number;
  readonly lookupP99Ms: number;
}

/** It asks for one key of Redis, whatever else is in there. */
const SMALL = 0.001;
const VISITORS = 200;
const WARM = 200;

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
    const times: number[] = [];
    const until = performance.now() + options.seconds * 1_000;
    for (let n = 0; performance.now() < until || times.length < 100; n++) {
      const began = performance.now();
      const { segments } = await ask(n);
      if (segments.length !== 1) throw new BenchError('a visitor is not in the segment');
      if (n >= WARM) times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    const quantile = (share: number): number => times[Math.min(times.length - 1, Math.floor(share * times.length))] as number;
    say(`${times.length} lookups over HTTP, one after the other`);
    return { lookupP50Ms: quantile(0.5), lookupP99Ms: quantile(0.99) };
  } finally {
    await data.stop();
    await rig.stop();
  }
}
