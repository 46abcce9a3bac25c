import type { Redis } from 'ioredis';
import type { Segment } from '../segments/segment.ts';
import { streamingOf } from '../streaming/streamable.ts';
import type { Thing } from '../things/things.ts';
import { publishedSegment } from './status.ts';

/** What the API shows of a segment's way to the bidders. */
export interface ShownPublication {
  /** Bidders know the members as of this time; null: no live line item needs them. */
  readonly publishedAt: string | null;
  /** Of the members that bidders know: how long after their evaluation. */
  readonly publishLagSeconds: number | null;
  /** Whether events change it as they arrive, and why not. */
  readonly streaming: boolean;
  readonly notStreaming: string | null;
}

export const PUBLICATION_MEMBERS = ['publishedAt', 'publishLagSeconds', 'streaming', 'notStreaming'] as const;

export async function shownPublication(redis: Redis, { id, body }: Thing<Segment>): Promise<ShownPublication> {
  const published = await publishedSegment(redis, id);
  const streaming = streamingOf(body.rule, body.level, body.confidence);
  return {
    publishedAt: published === null ? null : new Date(published.at).toISOString(),
    publishLagSeconds: published?.lag ?? null,
    streaming: streaming.streams,
    notStreaming: streaming.streams ? null : streaming.why,
  };
}
