import { createHmac } from 'node:crypto';
import { Registry } from 'prom-client';
import type { AdEvent } from '../../proto/ad-event.ts';
import type { Consents } from '../../proto/privacy/permission.ts';
import type { AuctionDeps } from '../auction.ts';
import type { LineItem } from '../core/line-item.ts';
import type { EncodeOptions } from '../encode.ts';
import { createMetrics } from '../metrics.ts';
import type { Users } from '../users.ts';

/** Nothing that a dry run counts is real. */
const METRICS = createMetrics(new Registry());

/** Addresses of a dry run look like real ones, and nobody honours them. The same question has the same answer from every worker. */
function secretOf(pepper: string): string {
  return createHmac('sha256', pepper).update('walkin:dry-run').digest('hex');
}

/** The parts of an auction, with none of its effects: no lease, no event, no count, no notice that anybody takes. */
export interface DryRun {
  readonly deps: AuctionDeps;
  /** What would have been written: bids and ghosts. */
  readonly events: readonly AdEvent[];
}

/** `free`: micros that a limited line item has left. */
export function dryRun(
  pepper: string,
  consents: Consents,
  { publicUrl, reservationSeconds }: Omit<EncodeOptions, 'noticeSecret'>,
  free: (lineItem: LineItem) => number,
): DryRun {
  const events: AdEvent[] = [];
  let bids = 0;
  const users: Users = { read: () => Promise.reject(new Error('a dry run is told who it is about')) };
  const deps: AuctionDeps = {
    current: () => null,
    users,
    leases: {
      free,
      reserve: () => '',
      cancel: () => undefined,
      keepWarm: () => undefined,
      reap: async () => undefined,
      close: async () => undefined,
    },
    outbox: { push: (event) => void events.push(event), flush: async () => true, close: async () => undefined },
    writeGhosts: async (ghosts) => void events.push(...ghosts),
    metrics: METRICS,
    nextBid: () => `debug-${bids++}`,
    pepper,
    consents,
    encode: { publicUrl, reservationSeconds, noticeSecret: secretOf(pepper) },
  };
  return { deps, events };
}
