import type { Json } from './read.ts';

/** What was asked. */
export interface Question {
  readonly contentType: 'application/json' | 'application/x-protobuf';
  /** The request as an object; null where its bytes are none. */
  readonly request: Json | null;
  /** Must not be bid on, whatever it looks like. */
  readonly fatal: boolean;
  readonly acceptsGzip: boolean;
}

/** What came back, as on the wire. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  readonly milliseconds: number;
  /** Reads a body of the question's content type; throws where it cannot. */
  readonly read: (body: Buffer) => unknown;
}

/** What was agreed on with the bidder beforehand. */
export interface Terms {
  /** Base of the bidder's own notice addresses: on loopback they are `http:`, and then exempt from `secure`. */
  readonly noticeBase: string;
  readonly bidsPerImp: number;
  /** Units of each currency for one USD; null: floors in another currency are not judged. */
  readonly perUsd: Readonly<Record<string, number>> | null;
  /** Fields of a bid without which the exchange drops it. */
  readonly requiredFields: readonly string[];
  /** Longest time for an answer where the request has no `tmax`, ms; 0: times are not judged. */
  readonly patience: number;
}

export const MEDIA = { 1: 'banner', 2: 'video', 3: 'audio', 4: 'native' } as const;
export type Medium = (typeof MEDIA)[keyof typeof MEDIA];

/** One bid beside the imp that it answers. */
export interface Offer {
  readonly request: Json;
  readonly imp: Json;
  /** The imp's media object that `mtype` names. */
  readonly media: Json;
  readonly medium: Medium;
  readonly bid: Json;
  readonly seat: string;
  readonly currency: string;
  readonly terms: Terms;
}
