import { setTimeout as sleep } from 'node:timers/promises';
import type { LineItemCounts, PassedOver } from '../../proto/debug.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import { wordsFor } from '../core/compile.ts';
import type { Index } from '../core/index.ts';
import { VALUE_PARTS } from '../core/named-parts.ts';
import { REASONS } from '../core/reason.ts';
import { ROW_REASONS } from '../core/rows.ts';
import { BIDS, COUNTS } from '../core/stock.ts';

/** What became of line items since the worker started, whatever index it served. */
export interface Counts {
  /** An index takes the place of the one before, whose counts go on in it. */
  swapped(index: Index): void;
  of(ids: readonly string[]): LineItemCounts[];
  /** Epoch ms since when the present index is served, and requests that it has matched. */
  served(): { readonly servedSince: number; readonly requests: number };
}

/** Auctions go on meanwhile: so long at once, and then nothing for so long. In each turn of the event loop it kept a worker busy for 50 ms after a swap. */
const TURN_MS = 1;
const PAUSE_MS = 10;

export function createCounts(): Counts {
  let current: Index | null = null;
  let servedSince = Date.now();
  let carrying: Promise<void> = Promise.resolve();
  const served = () => ({ servedSince, requests: current?.stages.decisions ?? 0 });
  return { swapped, served, of: (ids) => ids.flatMap((id) => (current === null ? [] : countsIn(current, id))) };

  function swapped(index: Index): void {
    const before = current;
    current = index;
    servedSince = Date.now();
    if (before !== null) carrying = carrying.then(() => carry(before, index)).catch(() => undefined);
  }
}

/** Adds the counts of one index to those of the next, where it has the line item too. */
async function carry(from: Index, to: Index): Promise<void> {
  const { counts } = from;
  let pause = performance.now() + TURN_MS;
  for (let position = 0; position < from.size; position++) {
    if (performance.now() > pause) {
      await sleep(PAUSE_MS, undefined, { ref: false });
      pause = performance.now() + TURN_MS;
    }
    const start = position * COUNTS;
    if (!isCounted(counts, start)) continue;
    const next = to.positionOf(from.idAt(position));
    if (next < 0) continue;
    for (let i = 0; i < COUNTS; i++) (to.counts[next * COUNTS + i] as number) += counts[start + i] as number;
  }
}

function isCounted(counts: Uint32Array, start: number): boolean {
  for (let i = start; i < start + COUNTS; i++) if (counts[i] !== 0) return true;
  return false;
}

function countsIn(index: Index, id: string): LineItemCounts[] {
  const position = index.positionOf(id);
  if (position < 0) return [];
  const counts = index.counts.subarray(position * COUNTS, (position + 1) * COUNTS);
  const reasons: Partial<Record<NoBidReason, number>> = {};
  REASONS.forEach((reason, number) => {
    const count = counts[number] as number;
    if (count > 0) reasons[reason] = count;
  });
  return [{ lineItem: id, bids: counts[BIDS] as number, reasons, passedOver: passedOver(index, position) }];
}

/** Of each dimension, the requests whose row the line item is not in. */
function passedOver({ meta, sections, rowCounts }: Index, position: number): PassedOver[] {
  const words = wordsFor(meta.size);
  const isIn = (row: number): boolean =>
    (((sections.rows[row * words + (position >>> 5)] as number) >>> (position & 31)) & 1) === 1;
  return meta.dimensions.flatMap(({ name, row, values }) => {
    let requests = 0;
    for (let at = row; at <= row + values.length; at++) if (!isIn(at)) requests += rowCounts[at] as number;
    return requests === 0 ? [] : [{ part: VALUE_PARTS[name], code: ROW_REASONS[name], requests }];
  });
}
