import type { Api } from './api.ts';

interface SnapshotView {
  readonly version: number;
  readonly lineItems: number | readonly unknown[];
  readonly workers: readonly { readonly id: string; readonly version: number }[];
}

const PATIENCE = 60_000;

/** Waits until every bidder worker serves a snapshot with as many line items as are asked for. */
export async function allServe(api: Api, isEnough: (lineItems: number) => boolean): Promise<SnapshotView> {
  const giveUp = performance.now() + PATIENCE;
  for (;;) {
    const view = await api.get<SnapshotView>('/v1/snapshot');
    const held = typeof view.lineItems === 'number' ? view.lineItems : view.lineItems.length;
    const current = view.workers.length > 0 && view.workers.every((worker) => worker.version === view.version);
    if (isEnough(held) && current) return view;
    if (performance.now() > giveUp) throw new Error(`the bidders do not serve the snapshot: ${JSON.stringify(view)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Recomputes identity, visits and segments and publishes them. */
export async function refresh(api: Api): Promise<void> {
  const job = await api.post<{ id: string }>('/v1/refresh', {});
  await api.job(job.id);
}
