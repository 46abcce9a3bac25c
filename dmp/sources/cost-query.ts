import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { Segment } from '../segments/segment.ts';
import { mayUse } from './access.ts';
import { type Cell, type Charge, chargesOf, dayFee } from './cost.ts';
import { type History, momentAt, readHistory } from './history.ts';
import { segmentsOf, standingOf } from './lineage.ts';
import { type Presence, readPresence } from './presence.ts';
import { priceOfSegment, pricesIn } from './segment-prices.ts';
import { type Price, type Source, termsOf } from './source.ts';

/** Whose costs and of when: epoch ms, `from` included, `to` not. */
export interface CostScope {
  readonly from: number;
  readonly to: number;
  readonly advertiser: string | null;
  readonly campaign: string | null;
}

export interface DataCosts {
  readonly charges: readonly Charge[];
  /** Flat prices of days on which nothing stood on the source, micros by source. Whoever it is asked for. */
  readonly unallocated: ReadonlyMap<string, number>;
}

const DAY_MS = 86_400_000;
const LIMITS = { seconds: 30, memoryBytes: 2 * 1024 ** 3 };

/**
 * What data cost, by the contracts, segments and line items as they were when each bid was made: a price that changes, and a
 * source that is revoked, changes nothing of the past.
 */
export async function dataCosts(warehouse: Warehouse, scope: CostScope, now: number): Promise<DataCosts> {
  const contracts = await readHistory(warehouse, ['source', 'segment']);
  const priced = contracts.ids('source').filter((id) => pricesOf(contracts, id).some(({ price }) => price !== null));
  const isSold = contracts
    .ids('segment')
    .some((id) => contracts.of('segment', id).some(({ body }) => body !== null && priceOfSegment(body as Segment) !== null));
  if (priced.length === 0 && !isSold) return { charges: [], unallocated: new Map() };
  const [history, presence] = [await readHistory(warehouse), await readPresence(warehouse)];
  // A flat price is divided among all who stand on the source on that day, so all must be looked at, for whole days.
  const isFlat = priced.some((id) => pricesOf(history, id).some(({ price }) => price?.model === 'flat'));
  const wide = isFlat ? { ...scope, advertiser: null, campaign: null } : scope;
  const window = isFlat ? wholeDays(scope) : scope;
  const lineItems = await readLineItems(warehouse, wide, window);
  const stands = new Map(lineItems.map((id) => [id, erasOf(history, presence, id, new Set(priced))]));
  const bounds = [...new Set([...stands.values()].flatMap((eras) => eras.map(({ from }) => from)))].sort((a, b) => a - b);
  const cells = await readCells(warehouse, scope, wide, window, stands, bounds);
  const fees = feesOf(history, priced, window, now);
  const used = new Set(
    cells.flatMap(({ sources, day, impressions }) => (impressions > 0 ? [...sources.keys()].map((id) => `${id} ${day}`) : [])),
  );
  const asked = new Set(daysOf(scope));
  const unallocated = new Map(
    [...fees].map(([source, days]) => {
      const idle = [...days].filter(([day]) => asked.has(day) && !used.has(`${source} ${day}`));
      return [source, idle.reduce((sum, [, micros]) => sum + micros, 0)];
    }),
  );
  return { charges: chargesOf(cells, fees), unallocated };
}

interface Era {
  /** Epoch ms; it lasts until the next one. */
  readonly from: number;
  readonly sources: ReadonlyMap<string, Price | null>;
  readonly segments: ReadonlyMap<string, Price>;
}

/** What a line item stood on, whenever that changed; before the first era it did not exist. */
function erasOf(history: History, presence: Presence, lineItem: string, priced: ReadonlySet<string>): Era[] {
  const times = new Set([
    ...history.of('line-item', lineItem).map(({ at }) => at),
    ...history.ids('segment').flatMap((id) => history.of('segment', id).map(({ at }) => at)),
    ...[...priced].flatMap((id) => history.of('source', id).map(({ at }) => at)),
    ...[...presence.values()].flatMap((sources) => [...sources].flatMap(([id, at]) => (priced.has(id) ? [at] : []))),
  ]);
  const eras: Era[] = [];
  let last = '';
  for (const at of [...times].sort((a, b) => a - b)) {
    const moment = momentAt(history, presence, at);
    const item = moment.get('line-item', lineItem);
    const standing =
      item === undefined ? [] : standingOf(moment, segmentsOf(item)).filter(({ source, used }) => used && priced.has(source));
    const sources = new Map(
      standing.map(({ source }) => [source, termsOf(moment.get('source', source) as Source).price] as const),
    );
    const segments = item === undefined ? new Map<string, Price>() : pricesIn(moment, segmentsOf(item));
    const key = JSON.stringify([[...sources], [...segments]]);
    if (key === last) continue;
    last = key;
    eras.push({ from: at, sources, segments });
  }
  return eras;
}

function pricesOf(history: History, source: string): { at: number; price: Price | null }[] {
  return history
    .of('source', source)
    .map(({ at, body }) => ({ at, price: body === null ? null : termsOf(body as Source).price }));
}

/** The day's part of each flat price that holds at the day's end, for days that have begun. */
function feesOf(history: History, priced: readonly string[], window: Window, now: number): Map<string, Map<string, number>> {
  const fees = new Map<string, Map<string, number>>();
  for (const source of priced) {
    const days = new Map<string, number>();
    for (const day of daysOf(window)) {
      const start = Date.parse(`${day}T00:00:00Z`);
      if (start > now) break;
      const version = history.of('source', source).findLast(({ at }) => at < start + DAY_MS);
      const body = (version?.body ?? null) as Source | null;
      const price = body === null ? null : termsOf(body).price;
      if (body !== null && price?.model === 'flat' && isOpen(body)) days.set(day, dayFee(price.micros ?? 0, day));
    }
    if (days.size > 0) fees.set(source, days);
  }
  return fees;
}

function isOpen(source: Source): boolean {
  const { revoked, advertisers, advertiser } = termsOf(source);
  return (
    revoked === null && (advertiser !== null || advertisers === null || advertisers.some((id) => mayUse(source, id, 'profiles')))
  );
}

interface Window {
  readonly from: number;
  readonly to: number;
}

function wholeDays({ from, to }: Window): Window {
  return { from: Math.floor(from / DAY_MS) * DAY_MS, to: Math.ceil(to / DAY_MS) * DAY_MS };
}

function daysOf(window: Window): string[] {
  const { from, to } = wholeDays(window);
  return Array.from({ length: (to - from) / DAY_MS }, (_, n) => new Date(from + n * DAY_MS).toISOString().slice(0, 10));
}

const IN_WINDOW = `test = 0 AND type IN ('impression', 'billing', 'win', 'click', 'loss', 'bid', 'view', 'media')
  AND at >= fromUnixTimestamp64Milli({from:Int64}) AND at < fromUnixTimestamp64Milli({to:Int64})`;

function whose({ advertiser, campaign }: CostScope): { sql: string; params: Record<string, string> } {
  return {
    sql: `${advertiser === null ? '' : ' AND advertiser = {advertiser:String}'}${campaign === null ? '' : ' AND campaign = {campaign:String}'}`,
    params: { ...(advertiser === null ? {} : { advertiser }), ...(campaign === null ? {} : { campaign }) },
  };
}

async function readLineItems(warehouse: Warehouse, scope: CostScope, window: Window): Promise<string[]> {
  const { sql: own, params } = whose(scope);
  const sql = `SELECT DISTINCT toString(line_item) AS id FROM ad_events WHERE ${IN_WINDOW}${own} ORDER BY id`;
  const rows = await warehouse.query<{ id: string }>({ sql, params: { ...params, ...boundsOf(window) } }, LIMITS);
  return rows.map(({ id }) => id);
}

interface CellRow {
  readonly advertiser: string;
  readonly campaign: string;
  readonly line_item: string;
  readonly store: string;
  readonly day: string;
  readonly asked: number;
  readonly era: number;
  readonly impressions: string;
  readonly media: string;
}

/** Events are told apart by the era of their bid: what they stood on was decided then. */
async function readCells(
  warehouse: Warehouse,
  asked: CostScope,
  scope: CostScope,
  window: Window,
  stands: ReadonlyMap<string, readonly Era[]>,
  bounds: readonly number[],
): Promise<Cell[]> {
  const { sql: own, params } = whose(scope);
  const sql = `SELECT toString(advertiser) AS advertiser, toString(campaign) AS campaign, toString(line_item) AS line_item,
      toString(store) AS store, toString(toDate(at)) AS day,
      at >= fromUnixTimestamp64Milli({askedFrom:Int64}) AND at < fromUnixTimestamp64Milli({askedTo:Int64}) AS asked,
      toUInt32(arrayCount(bound -> bound <= toUnixTimestamp64Milli(bid_at), {bounds:Array(Int64)})) AS era,
      countIf(type = 'impression') AS impressions, sum(cost) AS media
    FROM ad_events FINAL WHERE ${IN_WINDOW}${own}
    GROUP BY advertiser, campaign, line_item, store, day, asked, era
    HAVING impressions > 0 OR media != 0
    ORDER BY advertiser, campaign, line_item, store, day, asked, era`;
  const rows = await warehouse.query<CellRow>(
    { sql, params: { ...params, ...boundsOf(window), askedFrom: asked.from, askedTo: asked.to, bounds } },
    LIMITS,
  );
  return rows.flatMap((row) => {
    const time = row.era === 0 ? Number.NEGATIVE_INFINITY : (bounds[row.era - 1] as number);
    const stood = stands.get(row.line_item)?.findLast(({ from }) => from <= time);
    if (stood === undefined || stood.sources.size + stood.segments.size === 0) return [];
    const { sources, segments } = stood;
    const isAsked =
      row.asked === 1 &&
      (asked.advertiser === null || asked.advertiser === row.advertiser) &&
      (asked.campaign === null || asked.campaign === row.campaign);
    const { advertiser, campaign, store, day } = row;
    return [
      {
        ...{ advertiser, campaign, lineItem: row.line_item, store, day, asked: isAsked, sources, segments },
        impressions: Number(row.impressions),
        media: Number(row.media),
      },
    ];
  });
}

function boundsOf({ from, to }: Window): Record<string, number> {
  return { from, to };
}
