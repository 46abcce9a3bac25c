import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

/** A step that is not done by then runs again later; the process ends within five seconds. */
const PATIENCE_MS = 4_500;
/** How much of it one part may take, so that the others are closed too. */
const PART_MS = 2_500;

/** On SIGTERM and SIGINT closes what was opened, last opened first, and ends the process. */
export function stopOnSignals(log: Logger, closings: (() => Promise<unknown>)[]): void {
  let isStopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    log.info({ signal }, 'stopping');
    await Promise.race([closeAll(log, closings), sleep(PATIENCE_MS)]);
    process.exit(0);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
}

async function closeAll(log: Logger, closings: (() => Promise<unknown>)[]): Promise<void> {
  for (let closing = closings.pop(); closing !== undefined; closing = closings.pop()) {
    const closed = closing().catch((error: unknown) => log.error({ err: error }, 'closing'));
    await Promise.race([closed, sleep(PART_MS)]);
  }
}
