/** A seeded stream of draws (sfc32 by Chris Doty-Humphrey, public domain): the same world on every machine. */
export interface Draw {
  /** In [0, 1). */
  next(): number;
  /** An integer in [0, below). */
  below(below: number): number;
  /** Whether something of this probability happens. */
  chance(probability: number): boolean;
  pick<Value>(list: readonly Value[]): Value;
  /** Standard normal (Box and Muller, 1958). */
  normal(): number;
}

/** `part` gives an independent stream of the same seed. */
export function createDraw(seed: number, part = 0): Draw {
  let a = 0x9e3779b9 ^ Math.imul(part + 1, 0x85ebca6b);
  let b = 0x243f6a88 ^ Math.imul(seed + 1, 0xc2b2ae35);
  let c = 0xb7e15162 ^ part;
  let count = 1;
  for (let i = 0; i < 12; i++) word();
  return { next, below, chance, pick, normal };

  function word(): number {
    const sum = (((a + b) | 0) + count) | 0;
    count = (count + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  }

  function next(): number {
    return word() / 0x1_0000_0000;
  }

  function below(limit: number): number {
    return Math.floor(next() * limit);
  }

  function chance(probability: number): boolean {
    return next() < probability;
  }

  function pick<Value>(list: readonly Value[]): Value {
    return list[below(list.length)] as Value;
  }

  function normal(): number {
    return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  }
}
