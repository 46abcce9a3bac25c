import { whereaboutsStatement } from '../homes.ts';
import type { Grounds } from './grounds.ts';

/** The raw tables that facts are made of, and what says when a row came in. Versions of visits are epoch ms. */
export const RAW = {
  purchases: 'ingested',
  visits: 'version',
  redemptions: 'ingested',
  pages: 'ingested',
  actions: 'ingested',
  ad_events: 'ingested',
  attributes: 'ingested',
  pings: 'ingested',
  products: 'ingested',
  consents: 'recorded',
} as const;
export type RawTable = keyof typeof RAW;

/** A condition over the time of arrival; binds `since_<table>`, epoch ms. */
export function isFresh(table: RawTable): string {
  const since = `{since_${table}:Int64}`;
  return table === 'visits' ? `version >= ${since}` : `${RAW[table]} >= fromUnixTimestamp64Milli(${since})`;
}

/** Rows of one kind of fact: columns of `facts` but for the person, and `gone`. */
export interface RawRows {
  readonly kind: string;
  readonly table: RawTable;
  readonly columns: Readonly<Record<string, string>>;
  /** Subquery of the rows that the columns are made of, the newest of each natural key. */
  readonly from: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export type Part = 'all' | 'fresh' | 'again';

/** Of equal times the later insert wins, as in the table itself: the number of the first block is part of a part's name. */
const LATER = "toUInt64OrZero(splitByChar('_', _part)[2]) DESC";

/** Of some rows of a table the newest of each key, as FINAL has them of all: the end of a statement. */
export function newestOf(time: string, key: string): string {
  return `ORDER BY ${time} DESC, ${LATER} LIMIT 1 BY ${key}`;
}
const MOVED = "SELECT identifier FROM facts_scope WHERE why = 'moved'";

interface Shape {
  readonly kind: string;
  readonly table: RawTable;
  readonly key: string;
  readonly columns: Readonly<Record<string, string>>;
  /** Rows that are no facts, whatever they say. */
  readonly only?: string;
  /** Rows that are in the table and say that there is nothing. */
  readonly gone?: string;
}

const idOf = (kind: string, ...key: readonly string[]): string => `cityHash64('${kind}', ${key.join(', ')})`;
const atUtc = { day: 'toDate(r.at)', hour: 'toHour(r.at)', weekday: 'toDayOfWeek(r.at)' } as const;

function shapesOf({ hour, weekday, cell }: Grounds): readonly Shape[] {
  const event = (kind: string): { readonly once: string; readonly id: string; readonly at: string; readonly source: string } => {
    const id = idOf(kind, 'r.identifier', 'r.at', 'r.source', 'r.id');
    return { at: 'r.at', source: 'r.source', once: id, id };
  };
  const exposure = (kind: 'impression' | 'click'): Shape => {
    const id = idOf(kind, 'r.campaign', 'r.bid', 'r.detail');
    return {
      kind,
      table: 'ad_events',
      key: 'campaign, type, bid, detail',
      only: `type = '${kind}' AND test = 0 AND identifier != toUUID('00000000-0000-0000-0000-000000000000')`,
      columns: {
        at: 'r.at',
        ...atUtc,
        once: id,
        id,
        place: 'r.store',
        name: 'r.campaign',
        item: 'r.line_item',
        value: 'r.creative',
      },
    };
  };
  return [
    {
      kind: 'purchase',
      table: 'purchases',
      key: 'source, receipt, line',
      gone: 'deleted = 1',
      columns: {
        at: 'r.at',
        day: 'toDate(r.at)',
        hour: hour('r.at', 'r.store'),
        weekday: weekday('r.at', 'r.store'),
        source: 'r.source',
        once: 'cityHash64(r.source, r.receipt)',
        place: 'r.store',
        product: 'r.product',
        category: "if(r.category = '', c.of_category, r.category)",
        department: "if(r.department = '', c.of_department, r.department)",
        brand: "if(r.brand = '', c.of_brand, r.brand)",
        channel: "if(r.store = '', 'online', 'store')",
        quantity: 'toFloat64(r.quantity)',
        amount: 'r.amount',
        currency: 'r.currency',
        id: idOf('purchase', 'r.source', 'r.receipt', 'r.line'),
      },
    },
    {
      kind: 'visit',
      table: 'visits',
      key: 'identifier, kind, place, day',
      gone: 'cancelled = 1',
      columns: {
        at: 'r.start',
        day: 'r.day',
        hour: hour('r.start', 'r.place'),
        weekday: weekday('r.start', 'r.place'),
        source: "if(length(r.sources) = 1, toString(r.sources[1]), '')",
        sources: 'r.sources',
        once: 'cityHash64(r.kind, r.place, r.day)',
        place: 'r.place',
        name: 'toString(r.kind)',
        dwell: 'r.dwell',
        cell: cell("concat(toString(r.kind), ':', r.place)"),
        id: idOf('visit', 'r.identifier', 'r.kind', 'r.place', 'r.day'),
      },
    },
    {
      kind: 'redemption',
      table: 'redemptions',
      key: 'identifier, at, source, id',
      columns: { ...event('redemption'), ...atUtc, name: 'r.promotion', item: 'r.coupon' },
    },
    {
      kind: 'page',
      table: 'pages',
      key: 'identifier, at, source, id',
      columns: { ...event('page'), ...atUtc, item: 'r.url' },
    },
    {
      kind: 'action',
      table: 'actions',
      key: 'identifier, at, source, id',
      columns: {
        ...event('action'),
        day: 'toDate(r.at)',
        hour: hour('r.at', 'r.store'),
        weekday: weekday('r.at', 'r.store'),
        place: 'r.store',
        name: 'r.name',
        item: 'r.item',
        value: 'r.value',
      },
    },
    exposure('impression'),
    exposure('click'),
    {
      kind: 'attribute',
      table: 'attributes',
      key: 'identifier, name, source',
      columns: {
        at: 'r.at',
        ...atUtc,
        source: 'r.source',
        once: idOf('attribute', 'r.identifier', 'r.name', 'r.source'),
        name: 'r.name',
        item: 'r.text',
        number: 'ifNull(r.number, nan)',
        id: idOf('attribute', 'r.identifier', 'r.name', 'r.source'),
      },
    },
  ];
}

/**
 * What is to be read of each raw table. `fresh`: what came in since; `again`: rows that are there and may have become another fact, since
 * their person, the catalogue or their place changed; `all`: everything.
 */
export function rawRows(part: Part, grounds: Grounds, slice = '1'): RawRows[] {
  return [...shapesOf(grounds).map((shape) => rowsOf(shape, part, grounds, slice)), whereabouts(part, slice)];
}

function rowsOf(shape: Shape, part: Part, grounds: Grounds, slice: string): RawRows {
  const { kind, table, columns } = shape;
  const arrived = table === 'visits' ? 'fromUnixTimestamp64Milli(toInt64(r.version))' : `r.${RAW[table]}`;
  const of = `(${selected(shape, part, slice)}) AS r`;
  const from =
    table === 'purchases' ? `${of} LEFT ANY JOIN (${CATALOGUE}) AS c ON r.source = c.of_source AND r.product = c.of_product` : of;
  return {
    kind,
    table,
    columns: { ...columns, identifier: 'r.identifier', arrived, gone: 'r.is_gone' },
    from,
    params: grounds.params,
  };
}

const CATALOGUE = `SELECT source AS of_source, product AS of_product, category AS of_category, department AS of_department, brand AS of_brand FROM products FINAL`;

function selected({ table, key, only = '1', gone = '0' }: Shape, part: Part, slice: string): string {
  const columns = `SELECT *, toUInt8(${gone}) AS is_gone FROM ${table}`;
  if (part === 'all') return `${columns} FINAL WHERE ${only} AND NOT (${gone}) AND ${slice}`;
  if (part === 'again') return `${columns} FINAL WHERE ${only} AND NOT (${gone}) AND ${again(table, key)}`;
  // An attribute that came in late may be older than the one that is there.
  if (table === 'attributes')
    return `${columns} WHERE identifier IN (SELECT identifier FROM attributes WHERE ${isFresh(table)}) ${newestOf('at', key)}`;
  return `${columns} WHERE ${only} AND ${isFresh(table)} ${newestOf(RAW[table], key)}`;
}

function again(table: RawTable, key: string): string {
  if (table === 'purchases') {
    const products = `SELECT source, product FROM products WHERE ${isFresh('products')}`;
    return `(${key}) IN (SELECT ${key} FROM purchases WHERE identifier IN (${MOVED})
      OR store IN {changedStores:Array(String)} OR (source, product) IN (${products}))`;
  }
  if (table === 'visits')
    return `(identifier IN (${MOVED}) OR concat(toString(kind), ':', place) IN {changedPlaces:Array(String)})`;
  if (table === 'actions') return `(identifier IN (${MOVED}) OR store IN {changedStores:Array(String)})`;
  if (table === 'ad_events') return `(${key}) IN (SELECT ${key} FROM ad_events WHERE identifier IN (${MOVED}))`;
  return `identifier IN (${MOVED})`;
}

/** Where devices were last, live and work. Of those with fresh pings all is found anew, so nothing of them is read `again`. */
function whereabouts(part: Part, slice: string): RawRows {
  const devices = { all: slice, fresh: 'identifier IN (SELECT identifier FROM facts_scope)', again: '0' }[part];
  const { sql, params = {} } = whereaboutsStatement(devices);
  const id = 'cityHash64(r.kind, r.identifier, r.source)';
  return {
    kind: 'r.kind',
    table: 'pings',
    columns: {
      at: "toDateTime64(r.at, 3, 'UTC')",
      ...atUtc,
      source: 'r.source',
      sources: 'r.sources',
      once: id,
      cell: 'toUInt64(r.cell)',
      id,
      identifier: 'r.identifier',
      arrived: 'fromUnixTimestamp64Milli(toInt64(r.revision))',
      gone: 'toUInt8(0)',
    },
    from: `(${sql}) AS r`,
    params,
  };
}
