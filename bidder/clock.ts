import type { LiveExchange } from '../proto/snapshot.ts';

/** Epoch ms of a call: the wall clock, or, from a simulated exchange, the time it states. Deadlines never use this. */
export function clockOf(exchange: LiveExchange | undefined, stated: string | readonly string[] | undefined): number {
  if (exchange?.simulated !== true || typeof stated !== 'string' || !/^\d{1,15}$/.test(stated)) return Date.now();
  return Number(stated);
}
