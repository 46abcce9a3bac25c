import { expect, it } from 'vitest';
import { bidsFor, hasRoom } from '../../bidder/core/pod.ts';
import { decodeRequest } from '../../bidder/openrtb/decode.ts';
import type { BidRequest, Imp } from '../../bidder/openrtb/request.ts';
import { wireRequest } from './support/live.ts';

const impOf = (media: Record<string, unknown>): Imp =>
  (decodeRequest(Buffer.from(JSON.stringify(wireRequest({ imp: [{ id: '1', ...media }] })))) as BidRequest).imps[0] as Imp;
const video = (given: Record<string, unknown>) => impOf({ video: { mimes: ['video/mp4'], ...given } });

it('a dynamic pod gets as many bids as it has room for, and never more than the exchange takes', () => {
  expect([bidsFor(video({ poddur: 60, maxseq: 3 }), 5), bidsFor(video({ poddur: 60, maxseq: 3 }), 2)]).toEqual([3, 2]);
  expect([bidsFor(video({}), 4), bidsFor(video({ maxseq: 0 }), 4), bidsFor(video({ maxseq: -1 }), 4)]).toEqual([4, 4, 4]);
  expect(bidsFor(impOf({ banner: { w: 1, h: 1 } }), 4)).toBe(4);
  expect(bidsFor(impOf({ audio: { mimes: ['audio/mp4'], poddur: 60, maxseq: 2 } }), 4)).toBe(2);
});

it('the spots of one response have room in the pod together', () => {
  const pod = video({ poddur: 60, maxseq: 3 });
  expect([hasRoom(pod, 'video', 30, 30), hasRoom(pod, 'video', 30.5, 30), hasRoom(pod, 'audio', 0, 1)]).toEqual([
    true,
    false,
    false,
  ]);
  expect(hasRoom(video({}), 'video', 1e6, 30)).toBe(true);
});
