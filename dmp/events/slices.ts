/** How long one piece of work may keep the event loop: a page that asks meanwhile waits for the rest of it. */
const SLICE_MS = 2;
/** The clock is looked at once in so many steps, which are some microseconds each. */
const STEPS = 16;

/** Long work in slices: between two everybody else has a turn. */
export interface Slices {
  /** Counts a step, or some; true: the slice is over, await `next`. */
  step(steps?: number): boolean;
  next(): Promise<void>;
}

export function createSlices(sliceMs = SLICE_MS): Slices {
  let began = performance.now();
  let steps = 0;
  return {
    step: (some = 1) => {
      steps += some;
      if (steps < STEPS) return false;
      steps = 0;
      return performance.now() - began >= sliceMs;
    },
    next: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      began = performance.now();
    },
  };
}
