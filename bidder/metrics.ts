import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { Dial, Level, Tally } from './tally.ts';

/** Everything the bidder counts. Labels come from closed lists: exchanges of the snapshot, reasons, events, results. */
export interface Metrics {
  readonly registry: Registry;
  readonly requests: Tally<'exchange' | 'outcome'>;
  readonly noBids: Tally<'reason'>;
  readonly privacy: Tally<'why'>;
  readonly quirks: Tally<'exchange' | 'quirk'>;
  readonly shed: Tally<'exchange' | 'cause'>;
  readonly late: Tally<'exchange'>;
  readonly namedRequests: Tally<'exchange' | 'matched'>;
  readonly notices: Counter<'event' | 'result'>;
  readonly noticePrices: Counter<'fault'>;
  readonly noticeLag: Histogram<'event'>;
  readonly syncs: Counter<'exchange' | 'way' | 'result'>;
  readonly losses: Counter<'exchange' | 'reason'>;
  readonly minToWin: Counter<'exchange' | 'event'>;
  readonly queueSeconds: Dial;
  readonly decisionSeconds: Dial;
  readonly candidates: Dial;
  readonly truncated: Counter;
  readonly answerSeconds: Dial;
  readonly gcSeconds: Dial;
  readonly profileSeconds: Dial;
  readonly profileCache: Tally<'result'>;
  readonly profileCorrupt: Counter;
  readonly profileBreaker: Gauge;
  readonly profileBreakerOpened: Counter;
  readonly profileFailures: Counter<'cause'>;
  readonly ghosts: Counter<'result'>;
  readonly errors: Counter<'place'>;
  readonly outboxSize: Level;
  readonly outboxDropped: Counter;
  readonly snapshotVersion: Gauge;
  readonly snapshotTime: Gauge;
  readonly snapshotAge: Gauge;
  readonly snapshotRefused: Counter;
  readonly snapshotSwap: Gauge;
  readonly leases: Counter<'result'>;
  readonly leasedMicros: Counter<'way'>;
}

const MICROSECONDS = [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2];
const MILLISECONDS = [5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 2e-1, 5e-1];

export function createMetrics(registry = new Registry()): Metrics {
  const registers = [registry];
  return {
    registry,
    requests: new Tally({
      name: 'walkin_bid_requests_total',
      help: 'Bid requests by exchange and what they were answered: bid, no_bid, malformed, too_large, unsupported_encoding, unknown_exchange.',
      labelNames: ['exchange', 'outcome'],
      registers,
    }),
    noBids: new Tally({
      name: 'walkin_no_bids_total',
      help: 'Requests that were not bid on, by the one reason (see proto/no-bid.ts).',
      labelNames: ['reason'],
      registers,
    }),
    quirks: new Tally({
      name: 'walkin_bidder_quirks_total',
      help: 'Requests by exchange in which a field was not as the specification has it, by what it was (see openrtb/quirks.ts).',
      labelNames: ['exchange', 'quirk'],
      registers,
    }),
    privacy: new Tally({
      name: 'walkin_bidder_privacy_total',
      help: 'Requests by what the law and the person allow: the reason of the table of privacy (see docs/privacy.md).',
      labelNames: ['why'],
      registers,
    }),
    shed: new Tally({
      name: 'walkin_bidder_shed_total',
      help: 'Requests by exchange that were not considered, by cause: time (they could not be answered in time), qps (over its limit), sampled.',
      labelNames: ['exchange', 'cause'],
      registers,
    }),
    namedRequests: new Tally({
      name: 'walkin_bidder_named_requests_total',
      help: 'Requests by exchange that some creative may fit about somebody who may be named, and whether we know them: by our own id, or by a profile.',
      labelNames: ['exchange', 'matched'],
      registers,
    }),
    late: new Tally({
      name: 'walkin_bidder_late_total',
      help: 'Answers by exchange that left after their deadline.',
      labelNames: ['exchange'],
      registers,
    }),
    notices: new Counter({
      name: 'walkin_notices_total',
      help: 'Notices by event and result: booked, repeated, queued, lost, audit, bad_signature, unreadable, foreign_landing, storage, no_snapshot.',
      labelNames: ['event', 'result'],
      registers,
    }),
    noticePrices: new Counter({
      name: 'walkin_notice_price_faults_total',
      help: 'Charged notices whose clearing price could not be used, so that the bid price was charged.',
      labelNames: ['fault'],
      registers,
    }),
    noticeLag: new Histogram({
      name: 'walkin_notice_lag_seconds',
      help: 'Time from a bid to its notices, by event.',
      labelNames: ['event'],
      buckets: [0.1, 0.3, 1, 3, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400],
      registers,
    }),
    syncs: new Counter({
      name: 'walkin_user_syncs_total',
      help: 'Calls of user sync by exchange, way (in, out) and result: matched, sent, refused, unreadable, storage.',
      labelNames: ['exchange', 'way', 'result'],
      registers,
    }),
    losses: new Counter({
      name: 'walkin_losses_total',
      help: 'Lost bids by exchange and reason (see proto/loss-reason.ts).',
      labelNames: ['exchange', 'reason'],
      registers,
    }),
    minToWin: new Counter({
      name: 'walkin_min_to_win_total',
      help: 'Notices that told the minimum to win, by exchange and event: the labels that a model of the winning price learns from.',
      labelNames: ['exchange', 'event'],
      registers,
    }),
    queueSeconds: new Dial({
      name: 'walkin_queue_seconds',
      help: 'Time from when a bid request may have reached the socket until it was looked at.',
      buckets: MILLISECONDS,
      registers,
    }),
    decisionSeconds: new Dial({
      name: 'walkin_decision_seconds',
      help: 'Time to decide one request, without reading and writing.',
      buckets: MICROSECONDS,
      registers,
    }),
    candidates: new Dial({
      name: 'walkin_candidates',
      help: 'Line items that the index brought for one request.',
      buckets: [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000],
      registers,
    }),
    truncated: new Counter({
      name: 'walkin_truncated_decisions_total',
      help: 'Decisions for which the index brought more line items than are looked at.',
      registers,
    }),
    gcSeconds: new Dial({
      name: 'walkin_gc_pause_seconds',
      help: 'Pauses for the garbage collector.',
      buckets: MILLISECONDS,
      registers,
    }),
    answerSeconds: new Dial({
      name: 'walkin_answer_seconds',
      help: 'Time from the arrival of a bid request to its answer.',
      buckets: MILLISECONDS,
      registers,
    }),
    profileCache: new Tally({
      name: 'walkin_profile_cache_total',
      help: 'People who were asked for, by result: hit (known for a moment already), miss (read).',
      labelNames: ['result'],
      registers,
    }),
    profileCorrupt: new Counter({
      name: 'walkin_profile_corrupt_total',
      help: 'Profile values that could not be read: taken for empty.',
      registers,
    }),
    profileBreaker: new Gauge({
      name: 'walkin_profile_breaker_open',
      help: 'Workers that ask nothing of the profile store, since it did not answer.',
      registers,
    }),
    profileBreakerOpened: new Counter({
      name: 'walkin_profile_breaker_opened_total',
      help: 'Times that a worker stopped asking the profile store.',
      registers,
    }),
    profileSeconds: new Dial({
      name: 'walkin_profile_read_seconds',
      help: 'Time of one batched read of profiles and caps.',
      buckets: MILLISECONDS,
      registers,
    }),
    profileFailures: new Counter({
      name: 'walkin_profile_read_failures_total',
      help: 'Requests decided without their profile, by cause: timeout, away, open (the breaker).',
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
    outboxSize: new Level({ name: 'walkin_outbox_events', help: 'Ad events waiting for Redis.', registers }),
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
    snapshotSwap: new Gauge({
      name: 'walkin_snapshot_swap_seconds',
      help: 'For how long the last swap held up the requests of a worker; of several workers the longest.',
      aggregator: 'max',
      registers,
    }),
    snapshotAge: new Gauge({
      name: 'walkin_snapshot_age_seconds',
      help: 'Age of the served snapshot; of several workers the oldest.',
      aggregator: 'max',
      registers,
      async collect() {
        const at = (await registry.getSingleMetric('walkin_snapshot_timestamp_seconds')?.get())?.values[0]?.value ?? 0;
        this.set(at === 0 ? 0 : Math.max(0, Date.now() / 1_000 - at));
      },
    }),
    snapshotRefused: new Counter({
      name: 'walkin_snapshot_refused_total',
      help: 'Broken snapshots that were not served; of several workers the most that one was told of.',
      aggregator: 'max',
      registers,
    }),
    leases: new Counter({
      name: 'walkin_leases_total',
      help: 'Budget leases by result: granted, extended (unused), ended (not extended), empty (nothing left), failed (Redis away), reaped.',
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
