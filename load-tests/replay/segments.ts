import type { Api, JobView } from './api.ts';
import { SOURCE } from './imports.ts';

/** The three segments of the replay, by id. */
export const SEGMENTS = {
  /** Spent at least 20.00 in department GROCERY from 2017-07-03 to 2017-09-30, both days included. */
  grocery: {
    purchases: {
      sum: { min: 20_000_000 },
      departments: ['GROCERY'],
      window: { from: '2017-07-03', to: '2017-09-30' },
      sources: [SOURCE],
    },
  },
  /** Bought of category SOFT DRINKS on at least two different receipts. */
  softDrinks: { purchases: { count: { min: 2 }, categories: ['SOFT DRINKS'], sources: [SOURCE] } },
  /** Redeemed a coupon at least once. */
  coupon: { redemptions: { count: { min: 1 } } },
} as const;

export type SegmentName = keyof typeof SEGMENTS;
export const SEGMENT_NAMES = Object.keys(SEGMENTS) as SegmentName[];

export async function createSegments(api: Api): Promise<void> {
  // A small folder is to be bid on too: the least size of a segment protects people, and here are none.
  for (const name of SEGMENT_NAMES) await api.put(`/v1/segments/${name}`, { name, rule: SEGMENTS[name], minimumSize: 1 });
}

/** Identity, visits, all segments, publication; returns when the bidders can read the profiles. */
export async function refresh(api: Api): Promise<void> {
  await api.finished(await api.post<JobView>('/v1/refresh', {}));
}

/** People in each. */
export async function segmentSizes(api: Api): Promise<Record<SegmentName, number>> {
  const sizes = {} as Record<SegmentName, number>;
  for (const name of SEGMENT_NAMES) sizes[name] = (await api.get<{ size: number }>(`/v1/segments/${name}`)).size;
  return sizes;
}
