import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { BENCHES } from '../../../load-tests/bench/options.ts';
import { builtFile } from '../../support/built.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The last line of a bench. Small and short: only its form is looked at here, never its speed. */
async function bench(name: string, ...more: string[]): Promise<Record<string, unknown>> {
  const args = [
    '--enable-source-maps',
    builtFile('load-tests/bench/main.ts'),
    name,
    '--scale',
    '0.01',
    '--seconds',
    '0.5',
    ...more,
  ];
  const { stdout } = await run(process.execPath, args, { cwd: ROOT });
  return JSON.parse(stdout.trim().split('\n').at(-1) as string) as Record<string, unknown>;
}

describe('the benches', { timeout: 180_000 }, () => {
  it('compare the bidder with a server that decides nothing', async () => {
    const result = await bench('bid');
    expect(Object.keys(result)).toEqual(['capacity', 'floor', 'ratio', 'bidRate', 'rssMb']);
    const { capacity, floor, ratio, bidRate } = result as Record<string, number>;
    expect(capacity).toBeGreaterThan(0);
    expect(floor).toBeGreaterThan(0);
    expect(ratio).toBeCloseTo((capacity as number) / (floor as number), 2);
    expect(bidRate).toBeGreaterThan(0);
    expect(bidRate).toBeLessThan(1);
  });

  it('measure latency at four loads, answered without errors', async () => {
    const { points } = (await bench('latency')) as { points: Record<string, number>[] };
    expect(points.map(({ load }) => load)).toEqual([0.25, 0.5, 0.75, 0.9]);
    for (const point of points) {
      expect(Object.keys(point)).toEqual(['load', 'rate', 'p50', 'p90', 'p99', 'p999', 'max', 'errors', 'late']);
      const { p50, p90, p99, p999, max, errors } = point as Record<'p50' | 'p90' | 'p99' | 'p999' | 'max' | 'errors', number>;
      expect([p50, p90, p99, p999, max]).toEqual([p50, p90, p99, p999, max].sort((a, b) => a - b));
      expect(p50).toBeGreaterThan(0);
      expect(errors).toBe(0);
    }
  });

  it('measure the bare server alone', async () => {
    const result = await bench('floor');
    expect(Object.keys(result)).toEqual(['capacity', 'bidRate', 'rssMb']);
    expect(result['capacity']).toBeGreaterThan(0);
  });

  it('time the core at several sizes', async () => {
    const { sizes } = (await bench('match', '--sizes', '20,60')) as { sizes: Record<string, Record<string, number>> };
    expect(Object.keys(sizes)).toEqual(['20', '60']);
    for (const size of Object.values(sizes)) {
      expect(Object.keys(size)).toEqual(['meanUs', 'p99Us', 'mb']);
      expect(size['meanUs']).toBeGreaterThan(0);
    }
  });

  it('swap a snapshot under load, without an error', async () => {
    const result = await bench('swap');
    const figures = [
      'lineItems',
      'snapshotMb',
      'liveMs',
      'editMs',
      'worstMs',
      'worstWithoutMs',
      'lagMs',
      'lagWithoutMs',
      'stallMs',
      'stallWithoutMs',
      'errors',
      'rssMb',
    ];
    expect(Object.keys(result)).toEqual(figures);
    expect(result).toMatchObject({ lineItems: 100, liveMs: expect.any(Number), editMs: expect.any(Number), errors: 0 });
  });

  it('evaluate mixed rules, whole and again', async () => {
    const result = await bench('segments', '--scale', '0.001', '--alone');
    const figures = ['fullS', 'incrementalS', 'estimateP95S', 'overlapS', 'publishS', 'freshnessP95S', 'peakMb', 'growth'];
    expect(Object.keys(result)).toEqual(figures);
    for (const figure of ['fullS', 'incrementalS', 'estimateP95S', 'overlapS', 'peakMb'])
      expect(result[figure], figure).toBeGreaterThan(0);
    expect(result['growth']).toBeNull();
  });

  it('time who is who, and an opt-out until nobody bids', async () => {
    const result = await bench('identity');
    expect(Object.keys(result)).toEqual(['fullS', 'incrementalS', 'optOutP95S']);
    for (const seconds of Object.values(result)) expect(seconds).toBeGreaterThan(0);
  });

  it('time events on their way to the next bid, through the running system', async () => {
    const { freshnessP95S } = await bench('freshness');
    expect(freshnessP95S).toBeGreaterThan(0);
  });

  it('publish people who changed', async () => {
    const { publishS } = await bench('publishing');
    expect(publishS).toBeGreaterThan(0);
  });

  it('send members to files', async () => {
    const { csvS, parquetS, deltaS } = await bench('exports');
    for (const seconds of [csvS, parquetS, deltaS]) expect(seconds).toBeGreaterThan(0);
  });

  it('say what there is instead of a bench that there is not', async () => {
    await expect(bench('speed')).rejects.toThrow(BENCHES.join(', '));
  });
});
