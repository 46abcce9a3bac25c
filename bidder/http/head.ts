import type { Headers } from '../exchange-token.ts';
import { MAX_BODY } from '../openrtb/inflate.ts';

/** What the head of a plain bid request says. */
export interface Head {
  readonly exchange: string;
  readonly token: string | undefined;
  /** Names in lower case. */
  readonly headers: Headers;
  /** Bytes of the body. */
  readonly length: number;
}

/**
 * Reads the head of a bid request as plain senders write it: POST, HTTP/1.1, kept alive, a body of an announced length, each header
 * once and in visible ASCII. Null for whatever is not so: that is for Node's own server, which knows the rest of HTTP.
 *
 * A sender's heads differ in the length of the body and in nothing else, so what was read of the one before is used again.
 */
export function createHeadReader(): (text: string) => Head | null {
  /** The head before, without the digits of its length. */
  let before = '';
  let after = '';
  let known: Head | null = null;
  return (text) => {
    if (known !== null && text.startsWith(before) && text.endsWith(after)) {
      const length = digitsIn(text, before.length, text.length - after.length);
      if (length >= 0 && length <= MAX_BODY) {
        const { exchange, token, headers } = known;
        return { exchange, token, headers, length };
      }
    }
    const head = readHead(text);
    if (head === null) return null;
    const at = LENGTH.exec(text);
    if (at !== null) {
      before = text.slice(0, at.index + at[0].length);
      after = text.slice(before.length + String(head.length).length);
      known = head;
    }
    return head;
  };
}

/** Up to the digits. */
const LENGTH = /\r\ncontent-length:[ \t]*(?=\d)/i;
const REQUEST_LINE = /^POST \/openrtb2\/([\w.~-]{1,200})(?:\?token=([\w.~-]+))? HTTP\/1\.1$/;
const HEADER = /^([\w!#$%&'*+.^`|~-]+):[ \t]*((?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?)[ \t]*$/;
/** RFC 9110, 8.3.1. */
export const MEDIA_TYPE = /^\s*[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;|$)/;
/** They change how the rest is to be read, or what is to be done with the connection. */
const NOT_PLAIN = new Set(['transfer-encoding', 'expect', 'upgrade', 'trailer', 'keep-alive', 'proxy-connection', '__proto__']);

function readHead(text: string): Head | null {
  const [first = '', ...lines] = text.split('\r\n');
  const request = REQUEST_LINE.exec(first);
  if (request === null) return null;
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const header = HEADER.exec(line);
    if (header === null) return null;
    const name = (header[1] as string).toLowerCase();
    if (NOT_PLAIN.has(name) || Object.hasOwn(headers, name)) return null;
    headers[name] = header[2] as string;
  }
  const { host, connection = 'keep-alive', 'content-length': announced = '', 'content-type': type = '' } = headers;
  const length = /^[1-9]\d{0,6}$/.test(announced) ? Number(announced) : -1;
  if (host === undefined || connection.toLowerCase() !== 'keep-alive' || length < 0 || length > MAX_BODY) return null;
  if (type !== '' && !MEDIA_TYPE.test(type)) return null;
  return { exchange: request[1] as string, token: request[2], headers, length };
}

/** A whole number without a zero in front, -1 where there is something else. */
function digitsIn(text: string, start: number, end: number): number {
  if (end <= start || end - start > 7 || text.charCodeAt(start) === ZERO) return -1;
  let number = 0;
  for (let at = start; at < end; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

const ZERO = 0x30;
