import { expect, it } from 'vitest';
import { countsBy } from '../../../load-tests/bench/metrics.ts';
import { ownShares } from '../../../load-tests/bench/profile.ts';

it('gives each function its own share of the time that was not idle', () => {
  const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 1 });
  const profile = {
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
