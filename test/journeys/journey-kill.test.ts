import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '../../load-tests/city/api.ts';
import { eventsOf } from '../../load-tests/city/days.ts';
import { foundVisits } from '../../load-tests/city/found-visits.ts';
import { readReport } from '../../load-tests/city/report.ts';
import { resultsOf } from '../../load-tests/city/results.ts';
import { type CityRun, runCity, sendDay, sendHistory } from '../../load-tests/city/run.ts';
import { refresh } from '../../load-tests/city/served.ts';
import { type CitySettings, startBefore } from '../../load-tests/city/settings.ts';
import { childrenOf, type System, startSystem } from './system.ts';

const DAYS = 10;
const settings: CitySettings = {
  seed: 4,
  shoppers: 700,
  days: DAYS,
  effect: 0.03,
  holdout: 30,
  start: startBefore(Date.now(), DAYS),
  attempt: 1,
};

/** One after the other, each in the middle of a day's auctions; the day is that before. */
const VICTIMS: Readonly<Record<number, string>> = { 0: 'redis', 2: 'data', 4: 'bidder', 6: 'worker' };
const MOMENT = 150;
const RECOVERY = 45_000;

let system: System;
let run: CityRun;
const killed: { readonly name: string; readonly pid: number; back: number | null }[] = [];

beforeAll(async () => {
  system = await startSystem();
  let recovered: Promise<void> = Promise.resolve();
  run = await runCity(system, settings, {
    say: (text) => console.log(text),
    afterDay: async (day) => {
      await recovered;
      const name = VICTIMS[day];
      if (name === undefined) return;
      setTimeout(() => {
        recovered = killAndWait(name);
      }, MOMENT);
    },
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${system.printed()}`);
  });
  await recovered;
}, 400_000);
afterAll(() => system?.stop(), 30_000);

function pidOf(name: string): number {
  if (name !== 'worker') return system.pid(name);
  const [worker] = childrenOf(system.pid('bidder'));
  if (worker === undefined) throw new Error('the bidder has no workers');
  return worker;
}

/** `kill -9`, then waits for another process in its place. */
async function killAndWait(name: string): Promise<void> {
  const workers = name === 'worker' ? childrenOf(system.pid('bidder')) : [];
  const victim = { name, pid: pidOf(name), back: null as number | null };
  killed.push(victim);
  process.kill(victim.pid, 'SIGKILL');
  const giveUp = performance.now() + RECOVERY;
  while (victim.back === null && performance.now() < giveUp) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    victim.back = replacementOf(name, victim.pid, workers);
  }
}

function replacementOf(name: string, old: number, workers: readonly number[]): number | null {
  try {
    if (name === 'worker') return childrenOf(system.pid('bidder')).find((pid) => !workers.includes(pid)) ?? null;
    const pid = system.pid(name);
    return pid === old ? null : pid;
  } catch {
    // Not running again yet.
    return null;
  }
}

describe('kill -9 of each process in turn, in the middle of the loop', () => {
  it('brings each of them back', () => {
    expect(killed.map(({ name }) => name)).toEqual(Object.values(VICTIMS));
    for (const { pid, back } of killed) {
      expect(back).not.toBeNull();
      expect(back).not.toBe(pid);
    }
  });

  it('still counts wins, impressions, clicks and spend to the unit', () => {
    const { bids: _, ...equal } = resultsOf(run).equal;
    expect(run.ledger.requests).toBeGreaterThan(5_000);
    // The bidder was really away in the middle of auctions.
    expect(run.ledger.unanswered).toBeGreaterThan(0);
    expect(run.ledger.refused).toBe(0);
    expect(equal).toEqual({ wins: true, impressions: true, clicks: true, spendMicros: true });
    // A bid whose answer was lost with its process is one that the exchange never saw.
    expect(run.report.totals.bids).toBeGreaterThanOrEqual(resultsOf(run).exchange.total.bids);
    expect(run.report.totals.exposedPeople).toBe(run.truth.reached);
  });

  it('still credits purchases and revenue to the unit', () => {
    const { purchases, revenueMicros } = run.report.totals;
    expect({ purchases, revenueMicros }).toEqual({
      purchases: run.truth.attributed.purchases,
      revenueMicros: run.truth.attributed.revenueMicros,
    });
  });

  it('lost no event and doubled none: all sent once more changes nothing', async () => {
    expect(run.visits.recall).toBeGreaterThanOrEqual(0.9);
    expect(run.visits.precision).toBeGreaterThanOrEqual(0.9);
    const api = openApi(system.api, system.key);
    try {
      await sendHistory(api, run.city);
      for (let day = 0; day < DAYS; day++) await sendDay(api, eventsOf(run.city, run.ledger, day));
      await refresh(api);
      const { rows, totals, lift } = await readReport(api, run.city);
      expect({ rows, totals, lift }).toEqual({ rows: run.report.rows, totals: run.report.totals, lift: run.report.lift });
      expect(await foundVisits(api, run.city, run.ledger)).toEqual(run.visits);
    } finally {
      api.close();
    }
  }, 120_000);
});
