import type { Logger } from 'pino';
import { NO_BID, type NoBidReason } from '../proto/no-bid.ts';
import type { Metrics } from './metrics.ts';

const MINUTE = 60_000;

/**
 * Writes to the log once a minute why nothing was bid in it, by the reasons of the one list: as code, word and count. Single requests
 * are not logged: they are too many, and they are about people.
 */
export function startNoBidLog(metrics: Pick<Metrics, 'noBids'>, log: Pick<Logger, 'info'>, everyMs = MINUTE): { stop(): void } {
  const before = new Map<string, number>();
  const timer = setInterval(() => void write(), everyMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };

  async function write(): Promise<void> {
    const { values } = await metrics.noBids.get();
    const noBids = values.flatMap(({ labels: { reason = '' }, value }) => {
      const count = value - (before.get(String(reason)) ?? 0);
      before.set(String(reason), value);
      return count > 0 ? [{ nbr: NO_BID[reason as NoBidReason], reason, count }] : [];
    });
    if (noBids.length > 0) log.info({ noBids }, 'why nothing was bid');
  }
}
