// Wakes the open loop when a call is due that it has not come to by itself. A thread of its own, since timers of the event loop are a
// millisecond coarse, and spinning would take the core from Redis.
import { parentPort, workerData } from 'node:worker_threads';

/** @type {{ due: Float64Array, progress: Int32Array, startNs: bigint }} due: milliseconds from the start, rising. */
const { due, progress, startNs } = workerData;
/** In `progress`: calls that the loop has come to; 1 while it is told and has not come. */
const [ARRIVED, TOLD] = [0, 1];
/** Calls that are due in so short a time share a wake, which takes a tenth of that from the core. */
const LEAST_MS = 0.1;
const cell = new Int32Array(new SharedArrayBuffer(4));
const elapsed = () => Number(process.hrtime.bigint() - startNs) / 1e6;

for (;;) {
  const next = Atomics.load(progress, ARRIVED);
  if (next >= due.length) break;
  const wait = Number(due[next]) - elapsed();
  if (wait <= 0 && Atomics.exchange(progress, TOLD, 1) === 0) parentPort?.postMessage(null);
  Atomics.wait(cell, 0, 0, Math.max(LEAST_MS, wait));
}
