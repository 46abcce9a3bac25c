import { setTimeout as sleep } from 'node:timers/promises';

/** Requests that were not bid on, by reason. */
export type NoBids = Record<string, number>;

const LINE = /^walkin_no_bids_total\{([^}]*)\} ([0-9.e+]+)/gm;
const SETTLE_MS = 5_000;

/** An answer of 204 does not carry its reason: the bidder counts it in its metrics. Null where they cannot be read. */
export async function readNoBids(metrics: string | null): Promise<NoBids | null> {
  if (metrics === null) return null;
  try {
    const text = await (await fetch(`${metrics}/metrics`)).text();
    const counts: NoBids = {};
    for (const [, labels, value] of text.matchAll(LINE)) {
      const reason = /reason="([^"]*)"/.exec(labels ?? '')?.[1] ?? 'unknown';
      counts[reason] = (counts[reason] ?? 0) + Number(value);
    }
    return counts;
  } catch {
    return null;
  }
}

/** What was counted since `before`, once it adds up to the answers without a bid; what is not counted is `unknown`. */
export async function noBidsSince(metrics: string | null, before: NoBids | null, answers: number): Promise<NoBids> {
  const end = Date.now() + SETTLE_MS;
  for (;;) {
    const after = await readNoBids(metrics);
    const since = after === null || before === null ? {} : difference(after, before);
    const counted = sum(since);
    if (counted >= answers || after === null || before === null || Date.now() > end) {
      return counted < answers ? { ...since, unknown: answers - counted } : since;
    }
    await sleep(100);
  }
}

function difference(after: NoBids, before: NoBids): NoBids {
  const changed = Object.entries(after).map(([reason, count]) => [reason, count - (before[reason] ?? 0)] as const);
  return Object.fromEntries(changed.filter(([, count]) => count > 0).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)));
}

const sum = (counts: NoBids) => Object.values(counts).reduce((total, count) => total + count, 0);
