import { ADDRESSABLE_KINDS } from '../../proto/identifier.ts';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { Things } from '../things/things.ts';
import { flushArrivals } from './arrivals.ts';
import { PSI, psi } from './drift.ts';
import {
  type ArrivalFact,
  type BucketFact,
  type Days,
  type FreshFact,
  type MatchFact,
  MEASURES,
  type Measure,
  type RejectedFact,
  readArrivals,
  readBuckets,
  readFreshness,
  readMatches,
  readRejected,
} from './quality-facts.ts';
import { type SourceKind, termsOf } from './source.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** What a day is compared with: the four weeks before it. */
const BEFORE_DAYS = 28;

/** When an alarm is raised. Shares of rows; a share counts from so many rows on. */
export const THRESHOLDS = {
  rejected: { share: 0.05, rows: 20 },
  duplicates: { share: 0.1, rows: 100 },
  late: { share: 0.2, rows: 100 },
  /** Of the mean of the days before that brought any. */
  volume: { least: 0.5, most: 2, rows: 100, days: 7 },
  /** Of the match rate of before. */
  match: { least: 0.5, identifiers: 100 },
  drift: PSI.alarm,
  /** Of the promised time between two deliveries. */
  stale: 2,
} as const;

export type AlarmCode = 'stale' | 'rejected' | 'duplicates' | 'late' | 'volume' | 'match' | 'drift' | 'no_legal_basis';
export const ALARM_CODES: readonly AlarmCode[] = [
  'stale',
  'rejected',
  'duplicates',
  'late',
  'volume',
  'match',
  'drift',
  'no_legal_basis',
];

export interface Alarm {
  readonly source: string;
  /** Null: of the source as it is now. */
  readonly day: string | null;
  readonly code: AlarmCode;
  /** What drifted; '' elsewhere. */
  readonly measure: string;
  readonly value: number | null;
  readonly threshold: number | null;
}

export interface QualityDay {
  readonly source: string;
  /** UTC day of arrival. */
  readonly day: string;
  /** Rows that came, repeated ones too. */
  readonly received: number;
  /** Rows that are there, under the day on which they came last. */
  readonly stored: number;
  readonly byKind: Readonly<Partial<Record<SourceKind, number>>>;
  /** Rows that came more than once, at the day of their earlier coming. Null: the day was not counted. */
  readonly duplicates: number | null;
  readonly late: number;
  readonly rejected: number;
  readonly rejectedBy: Readonly<Record<string, number>>;
  readonly identifiers: number;
  /** Share of the identifiers whose person a bid request can name; null: there are none. */
  readonly matchRate: number | null;
  /** PSI against the four weeks before; null: too few rows. */
  readonly drift: Readonly<Partial<Record<Measure, number | null>>>;
}

export interface Freshness {
  readonly source: string;
  readonly arrived: number;
  readonly happened: number;
  readonly refreshHours: number | null;
  readonly stale: boolean;
}

export interface Quality {
  readonly days: readonly QualityDay[];
  readonly freshness: readonly Freshness[];
  readonly alarms: readonly Alarm[];
}

/** The quality of what came in on the days asked for. */
export async function quality(warehouse: Warehouse, things: Things, days: Days, now: number): Promise<Quality> {
  await flushArrivals(warehouse);
  const wide = { from: shifted(days.from, -BEFORE_DAYS), to: days.to };
  const [arrivals, rejected, matches, buckets, fresh] = [
    await readArrivals(warehouse, things, wide),
    await readRejected(warehouse, days),
    await readMatches(warehouse, wide, ADDRESSABLE_KINDS),
    await readBuckets(warehouse, wide),
    await readFreshness(warehouse),
  ];
  const rows = daysOf({ arrivals, rejected, matches, buckets }, days);
  const freshness = fresh.map((fact) => freshnessOf(things, fact, now));
  const alarms = [
    ...freshness.flatMap((one) => sourceAlarms(things, one, now)),
    ...rows.flatMap((row) => dayAlarms(row, arrivals, matches)),
  ];
  return { days: rows, freshness, alarms };
}

interface Facts {
  readonly arrivals: readonly ArrivalFact[];
  readonly rejected: readonly RejectedFact[];
  readonly matches: readonly MatchFact[];
  readonly buckets: readonly BucketFact[];
}

function daysOf({ arrivals, rejected, matches, buckets }: Facts, { from, to }: Days): QualityDay[] {
  const keys = new Set(
    [...arrivals, ...rejected].filter(({ day }) => day >= from && day <= to).map(({ source, day }) => `${day} ${source}`),
  );
  const drifts = driftsOf(buckets);
  return [...keys].sort().map((key) => {
    const [day, source] = [key.slice(0, 10), key.slice(11)];
    const of = <Fact extends { source: string; day: string }>(facts: readonly Fact[]): Fact[] =>
      facts.filter((fact) => fact.source === source && fact.day === day);
    const came = of(arrivals);
    const refused = of(rejected);
    const match = of(matches)[0];
    const counted = came.filter(({ kind, received }) => received > 0 && kind !== 'identify');
    return {
      source,
      day,
      received: sum(came, ({ received }) => received),
      stored: sum(came, ({ stored }) => stored),
      byKind: Object.fromEntries(came.map(({ kind, received, stored }) => [kind, Math.max(received, stored)])),
      duplicates:
        counted.length === 0 ? null : sum(counted, ({ received, removed, stored }) => Math.max(0, received - removed - stored)),
      late: sum(came, ({ late }) => late),
      rejected: sum(refused, ({ rows }) => rows),
      rejectedBy: Object.fromEntries(refused.map(({ code, rows }) => [code, rows])),
      identifiers: match?.identifiers ?? 0,
      matchRate: match === undefined || match.identifiers === 0 ? null : match.matched / match.identifiers,
      drift: drifts(source, day),
    };
  });
}

/** PSI of each measure of a source on a day, where the day has rows of it. */
function driftsOf(buckets: readonly BucketFact[]): (source: string, day: string) => Partial<Record<Measure, number | null>> {
  const bySeries = new Map<string, BucketFact[]>();
  for (const fact of buckets) {
    const key = `${fact.measure} ${fact.source}`;
    const facts = bySeries.get(key);
    if (facts === undefined) bySeries.set(key, [fact]);
    else facts.push(fact);
  }
  return (source, day) => {
    const first = shifted(day, -BEFORE_DAYS);
    const entries = MEASURES.flatMap(({ name }) => {
      const facts = bySeries.get(`${name} ${source}`) ?? [];
      const today = countsOf(facts.filter((fact) => fact.day === day));
      if (today.size === 0) return [];
      return [[name, psi(today, countsOf(facts.filter((fact) => fact.day >= first && fact.day < day)))] as const];
    });
    return Object.fromEntries(entries);
  };
}

function countsOf(facts: readonly BucketFact[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { bucket, rows } of facts) counts.set(bucket, (counts.get(bucket) ?? 0) + rows);
  return counts;
}

function freshnessOf(things: Things, { source, arrived, happened }: FreshFact, now: number): Freshness {
  const body = things.get('source', source)?.body;
  const refreshHours = body === undefined ? null : termsOf(body).refreshHours;
  const stale = refreshHours !== null && now - arrived > THRESHOLDS.stale * refreshHours * HOUR_MS;
  return { source, arrived, happened, refreshHours, stale };
}

function sourceAlarms(things: Things, { source, arrived, refreshHours, stale }: Freshness, now: number): Alarm[] {
  const body = things.get('source', source)?.body;
  const terms = body === undefined ? null : termsOf(body);
  if (terms === null || terms.revoked !== null) return [];
  const alarms: Alarm[] = [];
  const base = { source, day: null, measure: '' };
  if (stale) {
    const threshold = THRESHOLDS.stale * (refreshHours as number);
    alarms.push({ ...base, code: 'stale', value: Math.floor((now - arrived) / HOUR_MS), threshold });
  }
  if (terms.party !== '1p' && terms.legalBasis === null)
    alarms.push({ ...base, code: 'no_legal_basis', value: null, threshold: null });
  return alarms;
}

function dayAlarms(row: QualityDay, arrivals: readonly ArrivalFact[], matches: readonly MatchFact[]): Alarm[] {
  const { source, day } = row;
  const alarms: Alarm[] = [];
  const raise = (code: AlarmCode, value: number, threshold: number, measure = ''): void => {
    alarms.push({ source, day, code, measure, value: Number(value.toFixed(4)), threshold });
  };
  const share = (code: 'rejected' | 'duplicates' | 'late', part: number, of: number): void => {
    const { share: most, rows } = THRESHOLDS[code];
    if (of >= rows && part / of > most) raise(code, part / of, most);
  };
  const came = Math.max(row.received, row.stored);
  share('rejected', row.rejected, came + row.rejected);
  share('duplicates', row.duplicates ?? 0, row.received);
  share('late', row.late, row.stored);
  const first = shifted(day, -BEFORE_DAYS);
  const isBefore = (fact: { source: string; day: string }) => fact.source === source && fact.day >= first && fact.day < day;
  const volumes = perDay(arrivals.filter(isBefore));
  const { least, most, rows, days } = THRESHOLDS.volume;
  if (volumes.length >= days) {
    const mean = sum(volumes, (volume) => volume) / volumes.length;
    if (mean >= rows && came < least * mean) raise('volume', came / mean, least);
    if (mean >= rows && came > most * mean) raise('volume', came / mean, most);
  }
  const before = matches.filter(isBefore);
  const known = sum(before, ({ identifiers }) => identifiers);
  const rate = known === 0 ? 0 : sum(before, ({ matched }) => matched) / known;
  const { least: leastMatch, identifiers } = THRESHOLDS.match;
  if (row.matchRate !== null && row.identifiers >= identifiers && known >= identifiers && row.matchRate < leastMatch * rate)
    raise('match', row.matchRate / rate, leastMatch);
  for (const [measure, value] of Object.entries(row.drift))
    if (value !== null && value !== undefined && value >= THRESHOLDS.drift) raise('drift', value, THRESHOLDS.drift, measure);
  return alarms;
}

function perDay(arrivals: readonly ArrivalFact[]): number[] {
  const days = new Map<string, number>();
  for (const { day, received, stored } of arrivals) days.set(day, (days.get(day) ?? 0) + Math.max(received, stored));
  return [...days.values()].filter((volume) => volume > 0);
}

function sum<Item>(items: readonly Item[], value: (item: Item) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

export function shifted(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}
