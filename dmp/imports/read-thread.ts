import { once } from 'node:events';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { JobRefused } from '../jobs/jobs.ts';
import { type FileToRead, readBatches } from './batches.ts';
import { refusalOf } from './file-rows.ts';

// The thread that reads a file: see run-thread.ts. It must never load chdb, which breaks under threads.

/** Batches that may wait to be written. */
const AHEAD = 2;

const port = parentPort as MessagePort;
let ahead = 0;
port.on('message', () => ahead--);

try {
  for await (const batch of readBatches(workerData as FileToRead)) {
    const buffers = [batch.results, ...batch.tables.map(({ text }) => text)].map(({ buffer }) => buffer as ArrayBuffer);
    // Small buffers share one memory, which cannot be given away.
    const own = [...new Set(buffers)].filter((buffer) => buffer.byteLength > 64 * 1024);
    port.postMessage({ batch }, own);
    ahead++;
    while (ahead >= AHEAD) await once(port, 'message');
  }
  port.postMessage({ end: true });
} catch (raw) {
  const error = refusalOf(raw);
  const { code = '', message, stack = '' } = error as Error & { code?: string };
  port.postMessage({ failed: { refused: error instanceof JobRefused, code, message, stack } });
}
port.close();
