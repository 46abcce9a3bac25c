import { cellToParent } from 'h3-js';
import { type AdEventRow, NOBODY } from '../ad-events/rows.ts';
import type { Tables } from '../events/rows.ts';
import type { Visit } from '../visits/visit.ts';

/** What came in of somebody, as far as rules that stream look at it. */
export interface Happened {
  readonly kind: 'purchases' | 'redemptions' | 'pages' | 'actions' | 'impression' | 'click' | 'near' | 'visits';
  /** Key of the identifier that the row is about. */
  readonly identifier: string;
  /** Epoch ms. */
  readonly at: number;
  readonly source: string;
  /** Of a visit: those whose pings it is made of. */
  readonly sources: readonly string[];
  /** What counts once. */
  readonly once: string;
  /** By the names of the filters that look at it. */
  readonly stores: string;
  readonly products: string;
  readonly departments: string;
  readonly categories: string;
  readonly brands: string;
  /** Of an action its name, of a redemption its promotion, of an exposure its campaign. */
  readonly name: string;
  /** Of an action its item, of a redemption its coupon, of a page its address, of an exposure its line item. */
  readonly item: string;
  /** Of an action its value, of an exposure its creative. */
  readonly value: string;
  /** Of a ping: H3 at resolution 9, as of the positions in `facts`. */
  readonly cell: string;
  /** Of a visit to one. */
  readonly geofence: string;
  /** Of a visit, seconds until now. */
  readonly dwell: number;
}

const NOTHING = {
  sources: [] as readonly string[],
  geofence: '',
  dwell: 0,
  cell: '',
  stores: '',
  products: '',
  departments: '',
  categories: '',
  brands: '',
  name: '',
  item: '',
  value: '',
};

/** Pings are most of what comes, and their cells cost 2 µs each: only where a rule asks for them. */
export function eachPing({ pings }: Tables, take: (happened: Happened) => void): void {
  for (const { identifier, at, source, class: signal, cell } of pings) {
    // As of positions: vague ones say nothing.
    if (signal === 'low') continue;
    const once = `${identifier}\n${at}\n${source}`;
    take({
      ...NOTHING,
      kind: 'near',
      identifier,
      at: Date.parse(at),
      source,
      once,
      cell: cellToParent(BigInt(cell).toString(16), 9),
    });
  }
}

/** A visit that somebody is making or has made. */
export function visitHappened(identifier: string, visit: Visit, sources: readonly string[]): Happened {
  const { kind, place, day, start, dwell } = visit;
  const once = [kind, place, day].join('\n');
  const where = kind === 'store' ? { stores: place } : { geofence: place };
  return { ...NOTHING, ...where, kind: 'visits', identifier, at: start, source: '', sources, once, dwell };
}

/** Each row that a rule may look at but for pings, in no order. */
export function eachHappened(tables: Tables, take: (happened: Happened) => void): void {
  for (const row of tables.purchases) {
    if (row.deleted === 1) continue;
    const { source, identifier, store, product, department, category, brand } = row;
    const goods = { stores: store, products: product, departments: department, categories: category, brands: brand };
    const once = `${source}\n${row.receipt}`;
    take({ ...NOTHING, ...goods, kind: 'purchases', identifier, at: Date.parse(row.at), source, once });
  }
  for (const row of tables.redemptions)
    take({ ...NOTHING, ...eventOf(row), kind: 'redemptions', name: row.promotion, item: row.coupon });
  for (const row of tables.pages) take({ ...NOTHING, ...eventOf(row), kind: 'pages', item: row.url });
  for (const row of tables.actions) {
    const { name, store, item, value } = row;
    take({ ...NOTHING, ...eventOf(row), kind: 'actions', stores: store, name, item, value });
  }
}

interface EventRow {
  readonly identifier: string;
  readonly at: string;
  readonly source: string;
  readonly id: string;
}

function eventOf({ identifier, at, source, id }: EventRow): Pick<Happened, 'identifier' | 'at' | 'source' | 'once'> {
  return { identifier, at: Date.parse(at), source, once: [identifier, at, source, id].join('\n') };
}

/** An impression or a click; null: of another kind, a test, or of nobody who is named. */
export function adHappened(row: AdEventRow): Happened | null {
  if ((row.type !== 'impression' && row.type !== 'click') || row.test === 1 || row.identifier === NOBODY) return null;
  return {
    ...NOTHING,
    kind: row.type,
    identifier: row.identifier,
    at: Date.parse(row.at),
    source: '',
    once: [row.campaign, row.type, row.bid, row.detail].join('\n'),
    name: row.campaign,
    item: row.line_item,
    value: row.creative,
  };
}
