import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { JobRefused } from '../jobs/jobs.ts';
import { type Batch, type FileToRead, readBatches } from './batches.ts';

/** Bytes of a file from which on it is worth a thread of its own. */
const OWN_THREAD = 2 * 1024 * 1024;

type Message =
  | { readonly batch: Batch }
  | { readonly end: true }
  | { readonly failed: { refused: boolean; code: string; message: string; stack: string } };

/** The batches of a file. Those of a large one are made by a thread of its own, while this one writes what it has. */
export async function* batchesOf(file: FileToRead): AsyncGenerator<Batch> {
  const { size } = await stat(file.path);
  yield* size < OWN_THREAD ? readBatches(file) : threadBatches(file);
}

async function* threadBatches(file: FileToRead): AsyncGenerator<Batch> {
  const isSource = import.meta.url.endsWith('.ts');
  const program = new URL(`./read-thread.${isSource ? 'ts' : 'js'}`, import.meta.url);
  // Threads do not inherit the loader of sources.
  const code = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(program.href)}); })`;
  const worker = new Worker(isSource ? code : program, {
    eval: isSource,
    workerData: file,
    // Lines are cut out of large texts: without a bound the heap grows until the system says no.
    resourceLimits: { maxOldGenerationSizeMb: 768 },
  });
  const waiting: Message[] = [];
  let wake: () => void = () => undefined;
  const put = (message: Message): void => {
    waiting.push(message);
    wake();
  };
  worker.on('message', put);
  worker.on('error', (error: Error) =>
    put({ failed: { refused: false, code: '', message: error.message, stack: error.stack ?? '' } }),
  );
  worker.on('exit', () => put({ failed: { refused: false, code: '', message: 'the reading thread ended', stack: '' } }));
  try {
    for (;;) {
      const message = waiting.shift();
      if (message === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      } else if ('batch' in message) {
        yield message.batch;
        worker.postMessage('written');
      } else if ('end' in message) {
        return;
      } else {
        throw errorOf(message.failed);
      }
    }
  } finally {
    await worker.terminate();
  }
}

function errorOf({ refused, code, message, stack }: { refused: boolean; code: string; message: string; stack: string }): Error {
  if (refused) return new JobRefused(code, message.replace(`${code}: `, ''));
  const error = Object.assign(new Error(message), code === '' ? {} : { code });
  error.stack = stack;
  return error;
}
