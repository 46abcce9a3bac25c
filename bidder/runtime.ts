import { PerformanceObserver } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

/** Watches the garbage collector's pauses; returns what stops it. */
export function watchPauses({ gcSeconds }: Metrics): () => void {
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) gcSeconds.observe(duration / 1_000);
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}
