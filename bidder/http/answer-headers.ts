import type { Answer } from '../auction.ts';
import { CONTENT_TYPES } from '../openrtb/content.ts';
import { deflate } from '../openrtb/deflate.ts';
import { ACCEPTED_ENCODINGS } from '../openrtb/inflate.ts';

/** An answer with its headers, as it is sent. */
export interface Sent {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Answer['body'];
}

const VERSION = ['x-openrtb-version', '2.6'] as const;
const JSON_TYPE = ['content-type', CONTENT_TYPES.json] as const;
const PROTOBUF_TYPE = ['content-type', CONTENT_TYPES.protobuf] as const;

/** What never differs is made once. */
const EMPTY: Sent = { headers: [VERSION], body: null };
const REFUSED: Sent = { headers: [VERSION, ['accept-encoding', ACCEPTED_ENCODINGS]], body: null };
const PLAIN = { json: [VERSION, JSON_TYPE], protobuf: [VERSION, PROTOBUF_TYPE] } as const;

/** @param accept `accept-encoding` of the call */
export function sentOf({ status, body, format, gzip }: Answer, accept: string | undefined): Sent {
  if (body === null) return status === 400 ? REFUSED : EMPTY;
  const headers = PLAIN[format];
  if (gzip === 'never' || (gzip === 'auto' && accept === undefined)) return { headers, body };
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const deflated = deflate(bytes, gzip, accept ?? '');
  if (deflated.encoding === null) return { headers, body };
  return { headers: [...headers, ['content-encoding', deflated.encoding]], body: deflated.body };
}
