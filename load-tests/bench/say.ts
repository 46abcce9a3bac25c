/** Something that the reader can act on; printed without a stack. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
}

const started = performance.now();
let saidAt = 0;

/** A line of progress with the seconds since the start. */
export function say(sentence: string): void {
  saidAt = performance.now();
  console.log(`${((saidAt - started) / 1000).toFixed(1).padStart(6)} s  ${sentence}`);
}

/** How far a long work is, every few seconds and at its end. */
export function sayShare(work: string, done: number, of: number): void {
  if (done < of && performance.now() - saidAt < 3_000) return;
  if (done < of || of >= 1_000) say(`${work}: ${done.toLocaleString('en')} of ${of.toLocaleString('en')}`);
}
