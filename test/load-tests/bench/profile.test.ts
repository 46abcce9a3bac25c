import { expect, it } from 'vitest';
import { countsBy } from '../../../load-tests/bench/metrics.ts';
import { ownShares, sharesWithCalls } from '../../../load-tests/bench/profile.ts';
import { stretchesOf } from '../../../load-tests/bench/stalls.ts';

it('gives each function its own share of the time that was not idle', () => {
  const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 1 });
  const profile = {
    startTime: 0,
    nodes: [
      { id: 1, callFrame: frame('(idle)', '') },
      { id: 2, callFrame: frame('decide', 'file:///somewhere/dist/bidder/core/decide.js') },
      { id: 3, callFrame: frame('', 'file:///somewhere/node_modules/@scope/thing/lib/a.js') },
      { id: 4, callFrame: frame('decide', 'file:///somewhere/dist/bidder/core/decide.js') },
    ],
    samples: [1, 2, 3, 4],
    timeDeltas: [1_000, 200, 100, 100],
  };
  expect(ownShares(profile)).toEqual([
    ['decide bidder/core/decide.js', 0.75],
    ['(anonymous) @scope/thing', 0.25],
  ]);
});

it('looks at the given spans only, and adds what a function calls', () => {
  const frame = (functionName: string) => ({ functionName, url: 'file:///somewhere/dist/bidder/a.js', lineNumber: 1 });
  const profile = {
    startTime: 5_000,
    nodes: [
      { id: 1, callFrame: frame('outer'), children: [2] },
      { id: 2, callFrame: frame('inner'), children: [3] },
      // Called by itself, it is counted once.
      { id: 3, callFrame: frame('outer') },
    ],
    samples: [1, 2, 3, 1],
    timeDeltas: [100, 100, 300, 500],
  };
  const spans = [{ from: 5_150, to: 5_600 }];
  expect(ownShares(profile, spans)).toEqual([
    ['outer bidder/a.js', 0.75],
    ['inner bidder/a.js', 0.25],
  ]);
  expect(sharesWithCalls(profile, spans)).toEqual([
    ['outer bidder/a.js', 1],
    ['inner bidder/a.js', 1],
  ]);
});

it('adds up a counter by one of its labels', () => {
  const text = [
    '# TYPE walkin_no_bids_total counter',
    'walkin_no_bids_total{reason="shed",worker="1"} 3',
    'walkin_no_bids_total{worker="2",reason="shed"} 4',
    'walkin_no_bids_total{reason="budget"} 5',
    'walkin_other_total{reason="shed"} 100',
  ].join('\n');
  expect([...countsBy(text, 'walkin_no_bids_total', 'reason')]).toEqual([
    ['shed', 7],
    ['budget', 5],
  ]);
});

it('finds the stretches in which a worker did not wait once, and what it did in each', () => {
  const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 1 });
  const profile = {
    startTime: 1_000_000,
    nodes: [
      { id: 1, callFrame: frame('(root)', ''), children: [2, 3, 4, 5] },
      { id: 2, callFrame: frame('(idle)', '') },
      { id: 3, callFrame: frame('(garbage collector)', '') },
      { id: 4, callFrame: frame('tick', 'file:///somewhere/dist/bidder/lease.js') },
      { id: 5, callFrame: frame('onData', 'file:///somewhere/dist/bidder/http/bid-socket.js'), children: [6] },
      { id: 6, callFrame: frame('(garbage collector)', '') },
    ],
    samples: [5, 2, 5, 6, 4, 2, 3, 5],
    timeDeltas: [1_000, 1_000, 2_000, 4_000, 1_000, 5_000, 3_000, 90_000],
  };
  expect(stretchesOf(profile, { from: 1_001_500, to: 1_020_000 })).toEqual([
    {
      at: 0.5,
      ms: 7,
      parts: [
        ['garbage collector', 4],
        ['requests', 2],
        ['leases', 1],
      ],
    },
    { at: 12.5, ms: 3, parts: [['garbage collector', 3]] },
  ]);
});
