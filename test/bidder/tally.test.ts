import { AggregatorRegistry, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { Dial, Tally } from '../../bidder/tally.ts';

it('a tally says what a counter says, however often it is read', async () => {
  const registry = new Registry();
  const tally = new Tally({ name: 'calls_total', help: 'Calls.', labelNames: ['exchange', 'outcome'], registers: [registry] });
  for (let i = 0; i < 3; i++) tally.add('x', 'bid');
  tally.add('y', 'no_bid');
  tally.inc({ exchange: 'y', outcome: 'no_bid' });
  const text = await registry.metrics();
  expect(text).toContain('calls_total{exchange="x",outcome="bid"} 3');
  expect(text).toContain('calls_total{exchange="y",outcome="no_bid"} 2');
  tally.add('x', 'bid');
  expect(await registry.metrics()).toContain('calls_total{exchange="x",outcome="bid"} 4');
});

it('a dial says what a histogram says, also of several workers together', async () => {
  const [one, two] = [new Registry(), new Registry()];
  const dials = [one, two].map((registry) => {
    return new Dial({ name: 'took_seconds', help: 'Time.', buckets: [1, 2], registers: [registry] });
  });
  for (const value of [0.5, 1, 1.5, 7]) dials[0]?.observe(value);
  dials[1]?.observe(2);
  const text = await one.metrics();
  for (const line of ['took_seconds_bucket{le="1"} 2', 'took_seconds_bucket{le="2"} 3', 'took_seconds_bucket{le="+Inf"} 4'])
    expect(text).toContain(line);
  expect(text).toContain('took_seconds_sum 10');
  const all = AggregatorRegistry.aggregate([await one.getMetricsAsJSON(), await two.getMetricsAsJSON()]);
  expect(await all.metrics()).toContain('took_seconds_bucket{le="2"} 4');
  expect(await all.metrics()).toContain('took_seconds_count 5');
});
