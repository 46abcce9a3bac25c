import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';

/** Facts as a test writes them: short, with everything else filled in. */

export const uuid = (n: number): string => `00000000-0000-8000-8000-${n.toString(16).padStart(12, '0')}`;
export const NOBODY = '00000000-0000-0000-0000-000000000000';

export interface AdFact {
  readonly type: 'bid' | 'ghost' | 'win' | 'billing' | 'loss' | 'impression' | 'click' | 'unsent';
  readonly bid: string;
  readonly bidAt: number;
  readonly at: number;
  readonly lineItem: string;
  readonly store: string;
  readonly identifier: string;
  readonly anchor: string;
  readonly cost: number;
  /** People who saw it; 1 where it is not said. */
  readonly exposures?: number;
  readonly campaign: string;
  readonly test: boolean;
}

export interface VisitFact {
  readonly identifier: string;
  readonly store: string;
  readonly start: number;
  readonly cancelled: boolean;
}

export interface LineFact {
  readonly receipt: string;
  readonly line: string;
  readonly at: number;
  readonly identifier: string;
  readonly store: string;
  readonly amount: number;
  readonly currency: string;
}

export interface IdentityFact {
  readonly identifier: string;
  readonly profile: number;
}

export interface Facts {
  readonly ads: AdFact[];
  readonly visits: VisitFact[];
  readonly lines: LineFact[];
  readonly identities: IdentityFact[];
}

const time = (at: number) => new Date(at).toISOString();

let inserts = 0;

/** Each call has tokens of its own: equal rows of another test, or of a repetition, are really written again. */
export async function insertFacts(warehouse: Warehouse, facts: Facts): Promise<void> {
  const token = `insert-${inserts++}`;
  await warehouse.insert('ad_events', facts.ads.map(adRow), token);
  await warehouse.insert('visits', facts.visits.map(visitRow), token);
  await warehouse.insert('purchases', facts.lines.map(lineRow), token);
  await warehouse.insert(
    'identities',
    facts.identities.map(({ identifier, profile }) => ({ identifier, kind: 'ifa', profile, anchor: identifier, version: 1 })),
    token,
  );
}

function adRow(ad: AdFact) {
  return {
    type: ad.type,
    bid: ad.bid,
    bid_at: time(ad.bidAt),
    at: time(ad.at),
    exchange: 'x',
    auction: ad.bid,
    imp: '1',
    advertiser: 'adv',
    campaign: ad.campaign,
    line_item: ad.lineItem,
    creative: 'cr',
    store: ad.store,
    identifier: ad.identifier,
    anchor: ad.anchor,
    price: 5_000_000,
    cost: ad.cost,
    exposures: ad.exposures ?? 1,
    test: ad.test ? 1 : 0,
  };
}

function visitRow(visit: VisitFact) {
  return {
    identifier: visit.identifier,
    kind: 'store',
    place: visit.store,
    day: time(visit.start).slice(0, 10),
    start: time(visit.start),
    end: time(visit.start + 600_000),
    dwell: 600,
    pings: 5,
    cancelled: visit.cancelled ? 1 : 0,
    // Retention counts from the version.
    version: Date.now() + (visit.cancelled ? 1 : 0),
  };
}

function lineRow(line: LineFact) {
  return {
    source: 'till',
    receipt: line.receipt,
    line: line.line,
    at: time(line.at),
    identifier: line.identifier,
    store: line.store,
    amount: line.amount,
    currency: line.currency,
    quantity: 1,
    ingested: time(Date.now()),
  };
}

export async function clearFacts(warehouse: Warehouse): Promise<void> {
  for (const table of ['ad_events', 'visits', 'purchases', 'identities', 'revisions']) {
    await warehouse.command({ sql: `TRUNCATE TABLE ${table}` });
  }
}
