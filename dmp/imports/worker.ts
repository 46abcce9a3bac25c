import type { DmpDeps } from '../deps.ts';

/** Runs the jobs of type `import` in this process. */
export function startImportWorker(_deps: DmpDeps): { close(): Promise<void> } {
  return { close: async () => undefined };
}
