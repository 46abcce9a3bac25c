import type { Imp } from '../openrtb/request.ts';

/**
 * Bids of one response for one imp at most: as many as the exchange takes; of a dynamic pod (OpenRTB 2.6, 7.6.2), in which one place
 * stands for several spots, no more than it has room for.
 */
export function bidsFor({ video, audio }: Imp, bidsPerImp: number): number {
  return Math.min(bidsPerImp, Math.max(video?.maxseq ?? 0, audio?.maxseq ?? 0) || bidsPerImp);
}

/** Whether a spot of some seconds has room in its place beside spots that were bid for it in this response (`taken`, seconds). */
export function hasRoom({ video, audio }: Imp, type: 'video' | 'audio', taken: number, seconds: number): boolean {
  const place = type === 'video' ? video : audio;
  return place !== null && taken + seconds <= place.poddur;
}
