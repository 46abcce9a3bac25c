/** Something that the reader can act on; printed without a stack. */
export class ReplayError extends Error {
  override readonly name = 'ReplayError';
}

const started = performance.now();

/** A line of progress with the seconds since the start. */
export function say(sentence: string): void {
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${sentence}`);
}
