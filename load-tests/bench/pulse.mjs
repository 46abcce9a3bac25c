// Wakes the open loop when a call is due. A thread of its own, since timers of the event loop are a millisecond coarse, and spinning
// would take the core from Redis.
import { parentPort, workerData } from 'node:worker_threads';

/** @type {{ due: Float64Array, startNs: bigint }} due: milliseconds from the start, rising. */
const { due, startNs } = workerData;
const cell = new Int32Array(new SharedArrayBuffer(4));
const elapsed = () => Number(process.hrtime.bigint() - startNs) / 1e6;

for (let next = 0; next < due.length; ) {
  const wait = Number(due[next]) - elapsed();
  if (wait > 0) Atomics.wait(cell, 0, 0, wait);
  const before = next;
  for (const now = elapsed(); next < due.length && Number(due[next]) <= now; ) next++;
  if (next > before) parentPort?.postMessage(next);
}
