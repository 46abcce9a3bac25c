import { Counter, Gauge, Histogram } from 'prom-client';
import type { Refreshed } from './refresh.ts';

const BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

const refreshSeconds = new Histogram({
  name: 'walkin_segmenter_seconds',
  help: 'Time that a step of the segmenter took',
  labelNames: ['step'],
  buckets: BUCKETS,
});

const lastRefresh = new Gauge({
  name: 'walkin_segmenter_last_success_timestamp_seconds',
  help: 'When identity, visits, segments and publication were last brought up to date',
});

const counts = new Counter({
  name: 'walkin_segmenter_total',
  help: 'What the segmenter did: identifiers resolved, edges refused (profile too large), profiles merged or split, visits written or cancelled, facts written or deleted, memberships entered or left, segments failed, identifiers published',
  labelNames: ['what'],
});

/** Tells Prometheus of a run of the segmenter. */
export function observe({ identity, visits, facts, segments, published, seconds }: Refreshed, now: number): void {
  refreshSeconds.observe({ step: 'all' }, seconds);
  refreshSeconds.observe({ step: 'identity' }, identity.seconds);
  refreshSeconds.observe({ step: 'facts' }, facts.seconds);
  refreshSeconds.observe({ step: 'publish' }, published.seconds);
  if (visits !== null) refreshSeconds.observe({ step: 'visits' }, visits.seconds);
  if (visits !== null) lastRefresh.set(now / 1000);
  counts.inc({ what: 'identifiers_resolved' }, identity.identifiers);
  counts.inc({ what: 'profiles_merged' }, identity.merged);
  counts.inc({ what: 'profiles_split' }, identity.split);
  counts.inc({ what: 'edges_refused' }, identity.refused);
  counts.inc({ what: 'visits_written' }, visits?.written ?? 0);
  counts.inc({ what: 'facts_written' }, facts.written);
  counts.inc({ what: 'facts_deleted' }, facts.deleted);
  counts.inc({ what: 'visits_cancelled' }, visits?.cancelled ?? 0);
  counts.inc({ what: 'memberships_entered' }, segments.entered);
  counts.inc({ what: 'memberships_left' }, segments.left);
  counts.inc({ what: 'segments_failed' }, segments.failed.length);
  counts.inc({ what: 'identifiers_published' }, published.identifiers);
}
