import { fewCellsOf } from '../../proto/cover.ts';
import type { LiveExchange, LiveStore, Snapshot } from '../../proto/snapshot.ts';
import { createDraw } from './draw.ts';
import { drawFences, drawPlace } from './fences.ts';
import { drawLineItems, EXCHANGE } from './line-items.ts';

/** How large the world is at scale 1. */
const LINE_ITEMS = 10_000;
const PROFILES = 1_000_000;
const STORES_A_LINE_ITEM = 0.05;

export interface WorldSize {
  readonly lineItems: number;
  readonly fences: number;
  readonly profiles: number;
}

export function worldSize(scale: number): WorldSize {
  const lineItems = Math.max(20, Math.round(LINE_ITEMS * scale));
  return { lineItems, fences: lineItems, profiles: Math.max(100, Math.round(PROFILES * scale)) };
}

/** Milliseconds of the deadline for the answer, and of it for the network. */
export const TMAX = 100;
export const NETWORK_MS = 20;
/** An answer that takes longer is late. */
export const LATE_MS = TMAX - NETWORK_MS;

const exchange: LiveExchange = {
  id: EXCHANGE,
  defaultTmax: TMAX,
  networkAllowance: NETWORK_MS,
  format: 'json',
  gzip: 'auto',
  billing: 'burl',
  currency: null,
  sampling: 1,
  syncUrl: null,
  seat: null,
  simulated: false,
  tokenHash: null,
  sendsNoBidReason: false,
  bidsPerImp: 1,
  requiredFields: [],
  price: { kind: 'plain' },
  trustsUnknownLocation: false,
  defaultAuction: 1,
  supply: { completeOnly: false, maxHops: null, sellers: null },
  adLabel: false,
  qps: null,
  maxAnswerBytes: null,
  signature: null,
};

/** Everything live: the same for the same seed and size. */
export function drawSnapshot(seed: number, size: Omit<WorldSize, 'profiles'>): Snapshot {
  const around = drawSurroundings(seed, size);
  return { ...around, lineItems: drawLineItems(seed, size.lineItems, size.fences, around.stores.length) };
}

/** All but the line items. */
export function drawSurroundings(seed: number, { lineItems, fences }: Omit<WorldSize, 'profiles'>): Omit<Snapshot, 'lineItems'> {
  const stores = drawStores(seed, Math.max(5, Math.min(500, Math.round(lineItems * STORES_A_LINE_ITEM))), fences);
  return {
    version: 1,
    at: Date.UTC(2026, 0),
    exchanges: [exchange],
    stores,
    geofences: drawFences(seed, fences),
    lists: [],
    rates: null,
  };
}

function drawStores(seed: number, count: number, fences: number): LiveStore[] {
  const draw = createDraw(seed, 3);
  return Array.from({ length: count }, (_, index) => {
    const place = drawPlace(draw, fences);
    const fence = { type: 'circle' as const, ...place, radius: 75 };
    return {
      id: `st_${index}`,
      name: `Market ${index}`,
      address: `${index} Linden Street`,
      ...place,
      timeZone: 'UTC',
      hours: null,
      fence,
      cover: fewCellsOf(fence),
    };
  });
}
