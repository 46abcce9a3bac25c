import { BUCKETS, bucketOf } from '../proto/bucket.ts';
import type { LiveExchange } from '../proto/snapshot.ts';

/**
 * Whether a request is among the share of its exchange's that is considered: by the auction's id, so that all parallel calls of
 * one auction are treated alike. Pure.
 */
export function isSampled({ id, sampling }: Pick<LiveExchange, 'id' | 'sampling'>, auction: string): boolean {
  return sampling >= 1 || bucketOf(auction, id) < sampling * BUCKETS;
}
