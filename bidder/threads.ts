import { readdirSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/**
 * Gives threads of this process a lower priority, by so much: on a process that was started in front of others they stayed behind them all, and code that
 * is run often was compiled as late as on a machine that is full. On Linux each thread has a priority of its own, and those of V8 and of libuv are there
 * before us; elsewhere it is the whole process that has one.
 */
export function giveWay(by: number, whose: 'all' | 'helpers'): void {
  const niceness = Math.min(constants.priority.PRIORITY_LOW, getPriority() + by);
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
