import { execFile } from 'node:child_process';

import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openApi } from '../../load-tests/city/api.ts';
import { eventsOf } from '../../load-tests/city/days.ts';
import { readReport } from '../../load-tests/city/report.ts';
import { resultsOf } from '../../load-tests/city/results.ts';
import { type CityRun, runCity, sendDay, sendHistory } from '../../load-tests/city/run.ts';
import { refresh } from '../../load-tests/city/served.ts';
import { type CitySettings, startBefore } from '../../load-tests/city/settings.ts';
import { type ClickhouseServer, startClickhouse } from '../support/clickhouse-server.ts';
import { type System, startSystem } from './system.ts';

const DAYS = 3;
const settings: CitySettings = {
  seed: 7,
  shoppers: 200,
  days: DAYS,
  effect: 0.03,
  holdout: 30,
  start: startBefore(Date.now(), DAYS),
  attempt: 1,
};
const AWAY_MS = 2_000;

let clickhouse: ClickhouseServer;
let system: System;
let run: CityRun;

beforeAll(async () => {
  clickhouse = await startClickhouse();
  system = await startSystem({ CLICKHOUSE_URL: clickhouse.url });
  let disaster: Promise<void> = Promise.resolve();
  run = await runCity(system, settings, {
    say: (text) => console.log(text),
    afterDay: async (day) => {
      if (day === 0) disaster = sleep(100).then(awayAndBack);
    },
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${system.printed()}`);
  });
  await disaster;
}, 300_000);
afterAll(async () => {
  await system?.stop();
  await clickhouse?.close();
}, 30_000);

/** ClickHouse is killed in the middle of a day, and is there again after a while. */
async function awayAndBack(): Promise<void> {
  await clickhouse.kill();
  await sleep(AWAY_MS);
  await clickhouse.start();
}

/** In order: the job of one that is killed is taken as dead after 20 s only, which the journey of kills waits for. */
async function anotherSegmenter(): Promise<void> {
  const before = system.pid('segmenter');
  process.kill(before, 'SIGTERM');
  await vi.waitFor(() => expect(pidOr(before)).not.toBe(before), { timeout: 60_000, interval: 100 });
}

function pidOr(before: number): number {
  try {
    return system.pid('segmenter');
  } catch {
    // Not running again yet.
    return before;
  }
}

describe('dmp, segmenter and bidder as processes of their own on a ClickHouse behind HTTP', () => {
  it('run side by side', () => {
    expect(system.names()).toEqual(['redis', 'dmp', 'segmenter', 'pages', 'bidder']);
  });

  it('count what the exchange was acknowledged, and what the tills know, to the unit', () => {
    expect(run.ledger.requests).toBeGreaterThan(300);
    expect(resultsOf(run).equal).toEqual({ bids: true, wins: true, impressions: true, clicks: true, spendMicros: true });
    expect(run.report.totals.exposedPeople).toBe(run.truth.reached);
    expect(run.report.totals).toMatchObject(run.truth.attributed);
    // Of a small city few numbers are told: what is told is right.
    expect(run.visits.found).toBeGreaterThan(0);
    expect(run.visits.precision).toBeGreaterThanOrEqual(0.9);
  });

  it('change nothing when all is sent and computed once more, by another segmenter', async () => {
    await anotherSegmenter();
    const api = openApi(system.api, system.key);
    try {
      await sendHistory(api, run.city);
      for (let day = 0; day < DAYS; day++) await sendDay(api, eventsOf(run.city, run.ledger, day));
      await refresh(api);
      expect((await readReport(api, run.city)).totals).toEqual(run.report.totals);
    } finally {
      api.close();
    }
  }, 120_000);

  it('are well, says the doctor', async () => {
    const env = { ...process.env, CLICKHOUSE_URL: clickhouse.url, REDIS_URL: '' };
    const doctor = [...process.execArgv, 'dist/supervisor/doctor.js', '--json', '--data', system.folder];
    const { stdout } = await promisify(execFile)(process.execPath, doctor, { env }).catch((error: { stdout: string }) => error);
    const { checks } = JSON.parse(stdout) as { checks: { check: string; ok: boolean; value: string }[] };
    expect(checks.find(({ check }) => check === 'ClickHouse')).toMatchObject({
      ok: true,
      value: expect.stringMatching(/^server /),
    });
  }, 60_000);
});
