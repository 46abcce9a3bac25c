import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';

/**
 * Gives threads of this process a lower priority. On Linux each has one of its own, and those of V8 and of libuv are there before us; elsewhere it is the whole
 * process that has one.
 */
export function giveWay(niceness: number, whose: 'all' | 'helpers'): void {
  if (whose === 'all') setPriority(niceness);
  if (process.platform !== 'linux') return;
  for (const thread of readdirSync('/proc/self/task')) {
    if (whose === 'helpers' && Number(thread) === process.pid) continue;
    try {
      setPriority(Number(thread), niceness);
    } catch {
      // It has just ended.
    }
  }
}
