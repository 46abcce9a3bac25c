import { CELL_RESOLUTION, COARSEST_RESOLUTION, type Cover, coverOf, type Fence, splitCell } from './fence.ts';

/**
 * Cells of a fence as bidders have it, at most; of more the finest give way to their parents, which are asked exactly. The 91 cells of a
 * circle of 300 m were 3 GB for 100,000 of them, eight are 20 MB, and cost a request one or two distances more.
 */
const CELLS_OF_CIRCLE = 8;
/** A polygon is dearer to ask. */
const CELLS_OF_POLYGON = 48;

/** The cover of a fence in a snapshot: few cells, as exact as the fine one. */
export function fewCellsOf(fence: Fence): Cover {
  return coarsened(coverOf(fence), fence.type === 'circle' ? CELLS_OF_CIRCLE : CELLS_OF_POLYGON);
}

/**
 * The same cover of at most so many cells, where the coarsest resolution allows it. A point's coarser cells are its finest cell's
 * parents, so what a cell held its parent holds; but of what else the parent holds nothing is known, so it is boundary.
 */
export function coarsened({ resolution: finest, inner, boundary }: Cover, most: number): Cover {
  let keys = [...inner.map((cell) => keyOf(cell) * 2), ...boundary.map((cell) => keyOf(cell) * 2 + 1)].sort((a, b) => a - b);
  // Cells of one parent are neighbours, and a parent comes after them: so the order stays as it is.
  for (let resolution = CELL_RESOLUTION; keys.length > most && resolution > COARSEST_RESOLUTION; resolution--) {
    const unit = 8 ** (CELL_RESOLUTION - resolution);
    keys = withoutRepeats(
      keys.map((doubled) => {
        const key = Math.floor(doubled / 2);
        const digit = Math.floor(key / unit) % 8;
        return digit === 7 ? doubled : (key + (7 - digit) * unit) * 2 + 1;
      }),
    );
  }
  return {
    resolution: finest,
    inner: keys.filter((key) => key % 2 === 0).map((key) => cellOfKey(key / 2)),
    boundary: keys.filter((key) => key % 2 === 1).map((key) => cellOfKey((key - 1) / 2)),
  };
}

/** Of a cell that is there twice the one that must be asked is kept, which comes last. */
function withoutRepeats(keys: readonly number[]): number[] {
  return keys.filter((key, at) => Math.floor(key / 2) !== Math.floor((keys[at + 1] ?? -2) / 2));
}

/** Of a cell so many bits tell it apart: base cell and digits 1 to 4 above, digits 5 to 11 below. A digit of 7: coarser than that. */
const HALF = 2 ** 20;
/** Set in every cell: it is a cell, and not an edge or a corner. */
const IS_CELL = 0x800_0000;

/** Digits that are finer than a cell are 7 already. */
function keyOf(cell: string): number {
  const { high, low } = splitCell(cell);
  return (high & (HALF - 1)) * HALF + (low >>> 12);
}

function cellOfKey(key: number): string {
  const high = IS_CELL + resolutionIn(key) * HALF + Math.floor(key / HALF);
  const low = (((key % HALF) << 12) | 0xfff) >>> 0;
  return high.toString(16) + low.toString(16).padStart(8, '0');
}

function resolutionIn(key: number): number {
  let resolution = CELL_RESOLUTION;
  for (let rest = key; rest % 8 === 7; rest = Math.floor(rest / 8)) resolution--;
  return resolution;
}
