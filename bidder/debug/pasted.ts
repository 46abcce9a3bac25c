import type { Format } from '../openrtb/decode.ts';
import { type InflateFault, inflate } from '../openrtb/inflate.ts';

/** A request as an exchange would have sent it. */
interface Pasted {
  readonly body: Buffer;
  readonly format: Format;
}

/**
 * What somebody pasted: an object; the text of one, digit by digit; or a body in base64, JSON or protobuf, gzip and zstd known by their
 * magic bytes. As large as a call may be.
 */
export function pastedBody(request: object | string): Pasted | InflateFault {
  const isText = typeof request === 'string';
  const isSent = isText && !isJson(request);
  const sent = isSent ? Buffer.from(request, 'base64') : Buffer.from(isText ? request : JSON.stringify(request));
  // That nothing says how it is compressed is no fault of the sender's.
  const body = inflate(sent, undefined, new Set());
  if (typeof body === 'string') return body;
  return { body, format: isSent && !isJson(body.toString('latin1', 0, LOOKED_AT)) ? 'protobuf' : 'json' };
}

/** A message begins with its id: a line feed, the length, the text. */
const LOOKED_AT = 64;
/** In either reading of a byte order mark. */
const JSON_TEXT = /^(?:\u00ef\u00bb\u00bf|\ufeff)?\s*[{[]/;

function isJson(text: string): boolean {
  return JSON_TEXT.test(text);
}
