import { expect, test } from 'vitest';
import { createMetrics } from '../../bidder/metrics.ts';
import { startNoBidLog } from '../../bidder/no-bid-log.ts';
import { NO_BID, NO_BID_MEANINGS, type NoBidReason } from '../../proto/no-bid.ts';
import { eventually } from '../bidder/support/bidder.ts';

const REASONS = Object.keys(NO_BID) as NoBidReason[];

// Where this fails, the document is older than the code: `npx vitest run test/exchanges/no-bid-reasons.test.ts --update`.
test('docs/no-bid-reasons.md lists every reason', async () => {
  const rows = [...REASONS]
    .sort((a, b) => NO_BID[a] - NO_BID[b])
    .map((reason) => `| ${NO_BID[reason]} | \`${reason}\` | ${NO_BID_MEANINGS[reason].means} | ${NO_BID_MEANINGS[reason].who} |`);
  const head = `# Why nothing was bid

Each request that is not bid on has one of these reasons: in the metric \`walkin_no_bids_total{reason}\`, in the log (once a minute how
many for each reason), in the debugger (of each line item and of each request of its sample), and as \`nbr\` on the wire where the
exchange wants it (\`sendsNoBidReason\`). Of all line items the one that came furthest tells it. Codes below 500 are those of OpenRTB 2.6, List: No-Bid Reason Codes; from 500 on they are ours.
A code never changes its meaning. "Who" can do something about it.

| nbr | reason | it says | who |
|---|---|---|---|
`;
  await expect(`${head}${rows.join('\n')}\n`).toMatchFileSnapshot('../../docs/no-bid-reasons.md');
});

test('the log says once a minute how many requests had which reason, by code and word', async () => {
  const metrics = createMetrics();
  const lines: unknown[] = [];
  const written = startNoBidLog(metrics, { info: (line: unknown) => void lines.push(line) }, 10);
  for (const reason of ['privacy', 'privacy', 'deadline'] as const) metrics.noBids.add(reason);
  await eventually(
    () => lines.length,
    (length) => length === 1,
  );
  metrics.noBids.add('privacy');
  await eventually(
    () => lines.length,
    (length) => length === 2,
  );
  written.stop();
  expect(lines).toEqual([
    {
      noBids: [
        { nbr: 506, reason: 'privacy', count: 2 },
        { nbr: 512, reason: 'deadline', count: 1 },
      ],
    },
    { noBids: [{ nbr: 506, reason: 'privacy', count: 1 }] },
  ]);
});

test('no code stands for two reasons, and ours begin at 500', () => {
  const codes = REASONS.map((reason) => NO_BID[reason]);
  expect(new Set(codes).size).toBe(codes.length);
  expect(codes.every((code) => code < 18 || (code >= 500 && code < 1_000))).toBe(true);
});
