import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Everything the bidder counts. Labels come from closed lists: exchanges of the snapshot, reasons, events, results. */
export interface Metrics {
  readonly registry: Registry;
  readonly requests: Counter<'exchange' | 'outcome'>;
  readonly noBids: Counter<'reason'>;
  readonly notices: Counter<'event' | 'result'>;
  readonly noticePrices: Counter<'fault'>;
  readonly decisionSeconds: Histogram;
  readonly answerSeconds: Histogram;
  readonly profileSeconds: Histogram;
  readonly profileFailures: Counter<'cause'>;
  readonly ghosts: Counter<'result'>;
  readonly errors: Counter<'place'>;
  readonly outboxSize: Gauge;
  readonly outboxDropped: Counter;
  readonly snapshotVersion: Gauge;
  readonly snapshotTime: Gauge;
  readonly snapshotRefused: Counter;
  readonly leases: Counter<'result'>;
  readonly leasedMicros: Counter<'way'>;
}

const MICROSECONDS = [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2];
const MILLISECONDS = [5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 2e-1, 5e-1];

export function createMetrics(registry = new Registry()): Metrics {
  const registers = [registry];
  return {
    registry,
    requests: new Counter({
      name: 'walkin_bid_requests_total',
      help: 'Bid requests by exchange and what they were answered: bid, no_bid, malformed, too_large, unknown_exchange.',
      labelNames: ['exchange', 'outcome'],
      registers,
    }),
    noBids: new Counter({
      name: 'walkin_no_bids_total',
      help: 'Requests that were not bid on, by the one reason (see proto/no-bid.ts).',
      labelNames: ['reason'],
      registers,
    }),
    notices: new Counter({
      name: 'walkin_notices_total',
      help: 'Notices by event and result: booked, repeated, audit, bad_signature, unreadable, storage, no_snapshot.',
      labelNames: ['event', 'result'],
      registers,
    }),
    noticePrices: new Counter({
      name: 'walkin_notice_price_faults_total',
      help: 'Charged notices whose clearing price could not be used, so that the bid price was charged.',
      labelNames: ['fault'],
      registers,
    }),
    decisionSeconds: new Histogram({
      name: 'walkin_decision_seconds',
      help: 'Time to decide one request, without reading and writing.',
      buckets: MICROSECONDS,
      registers,
    }),
    answerSeconds: new Histogram({
      name: 'walkin_answer_seconds',
      help: 'Time from the arrival of a bid request to its answer.',
      buckets: MILLISECONDS,
      registers,
    }),
    profileSeconds: new Histogram({
      name: 'walkin_profile_read_seconds',
      help: 'Time of one batched read of profiles and caps.',
      buckets: MILLISECONDS,
      registers,
    }),
    profileFailures: new Counter({
      name: 'walkin_profile_read_failures_total',
      help: 'Requests decided without their profile, by cause: timeout, away, overload.',
      labelNames: ['cause'],
      registers,
    }),
    ghosts: new Counter({
      name: 'walkin_ghosts_total',
      help: 'Held-out winners by result: durable before the answer, or late (kept in the outbox).',
      labelNames: ['result'],
      registers,
    }),
    errors: new Counter({
      name: 'walkin_bidder_errors_total',
      help: 'Exceptions that should never be: bugs of the bidder.',
      labelNames: ['place'],
      registers,
    }),
    outboxSize: new Gauge({ name: 'walkin_outbox_events', help: 'Ad events waiting for Redis.', registers }),
    outboxDropped: new Counter({
      name: 'walkin_outbox_dropped_total',
      help: 'Ad events lost because the outbox was full.',
      registers,
    }),
    snapshotVersion: new Gauge({
      name: 'walkin_snapshot_version',
      help: 'Version of the snapshot that is served; of several workers the oldest.',
      aggregator: 'min',
      registers,
    }),
    snapshotTime: new Gauge({
      name: 'walkin_snapshot_timestamp_seconds',
      help: 'When the served snapshot was made; of several workers the oldest.',
      aggregator: 'min',
      registers,
    }),
    snapshotRefused: new Counter({
      name: 'walkin_snapshot_refused_total',
      help: 'Broken snapshots that were not served.',
      registers,
    }),
    leases: new Counter({
      name: 'walkin_leases_total',
      help: 'Budget leases by result: granted, empty (nothing left), failed (Redis away), reaped.',
      labelNames: ['result'],
      registers,
    }),
    leasedMicros: new Counter({
      name: 'walkin_leased_micros_total',
      help: 'Money in leases, micros, by way: granted, returned, reaped.',
      labelNames: ['way'],
      registers,
    }),
  };
}
