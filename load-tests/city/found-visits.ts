import type { Api } from './api.ts';
import type { City } from './city.ts';
import type { Ledger } from './ledger.ts';
import { inParallel } from './pool.ts';
import { DAY } from './settings.ts';
import { visitorsOf } from './truth.ts';

export interface FoundVisits {
  /** People with a visit, counted day by day. */
  readonly real: number;
  readonly found: number;
  /** Share of the real visitors that were found, and of the found ones that are real; by day and by store. */
  readonly recall: number;
  readonly precision: number;
}

/** Visitors of some stores on some days, [from, to). */
export interface Cell {
  readonly stores: readonly string[];
  readonly from: number;
  readonly to: number;
}

/** Sizes of fewer people are not told, so a cell must have more. */
const ENOUGH = 25;

/**
 * What Walkin found against what happened: the people of a rule "visited these stores on these days", for the days one by one,
 * and for the stores one by one. In a cell no more than the smaller of the two numbers can be right.
 */
export async function foundVisits(api: Api, city: City, ledger: Ledger): Promise<FoundVisits> {
  const byDay = await countCells(api, city, ledger, dayCells(city, ledger));
  const byStore = await countCells(api, city, ledger, storeCells(city));
  const both = { real: byDay.real + byStore.real, found: byDay.found + byStore.found, right: byDay.right + byStore.right };
  return {
    real: byDay.real,
    found: byDay.found,
    recall: both.real === 0 ? 1 : both.right / both.real,
    precision: both.found === 0 ? 1 : both.right / both.found,
  };
}

async function countCells(api: Api, city: City, ledger: Ledger, cells: readonly Cell[]) {
  const sums = { real: 0, found: 0, right: 0 };
  await inParallel(cells, 2, async (cell) => {
    const window = { from: dateOf(cell.from), to: dateOf(cell.to - DAY) };
    const rule = { visits: { stores: cell.stores, window } };
    const { size } = await api.post<{ size: number | null }>('/v1/segments:estimate', { rule });
    const real = visitorsOf(city, ledger, cell);
    sums.real += real;
    sums.found += size ?? 0;
    sums.right += Math.min(size ?? 0, real);
  });
  return sums;
}

/** All stores, a day each, or as many days as it takes to have enough people. */
function dayCells(city: City, ledger: Ledger): Cell[] {
  const { start, days } = city.settings;
  const stores = city.map.stores.map(({ id }) => id);
  const cells: Cell[] = [];
  let from = start;
  for (let day = 1; day <= days; day++) {
    const cell = { stores, from, to: start + day * DAY };
    if (visitorsOf(city, ledger, cell) < ENOUGH && day < days) continue;
    cells.push(cell);
    from = cell.to;
  }
  return cells;
}

function storeCells({ map, settings }: City): Cell[] {
  return map.stores.map(({ id }) => ({ stores: [id], from: settings.start, to: settings.start + settings.days * DAY }));
}

function dateOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
