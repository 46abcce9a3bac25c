import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gunzip, type InputType, type ZlibOptions } from 'node:zlib';
import { Problem } from '../problem.ts';

export interface BodyLimits {
  /** Bytes on the wire, and after gzip. */
  readonly sent: number;
  readonly inflated: number;
}

const inflate = promisify<InputType, ZlibOptions, Buffer>(gunzip);
const BOM = Buffer.from('\ufeff');

/** The whole body, inflated where it is gzip: nothing is taken of a body that is cut short, broken or too large. */
export async function readBody(stream: Readable, headers: IncomingHttpHeaders, limits: BodyLimits): Promise<Buffer> {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') throw undone(stream, 415, 'unsupported_media_type', 'Only gzip is known');
  const promised = Number(headers['content-length'] ?? Number.POSITIVE_INFINITY);
  if (headers['content-length'] !== undefined && promised > limits.sent) throw tooLarge(stream, limits.sent, promised);
  const sent = await collect(stream, limits.sent);
  const body = encoding === 'gzip' ? await unpack(sent, limits.inflated) : sent;
  return body.subarray(0, BOM.length).equals(BOM) ? body.subarray(BOM.length) : body;
}

/** `subtype` of a media type without its parameters, in lower case. */
export function mediaType(headers: IncomingHttpHeaders): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function collect(stream: Readable, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= limit) return void chunks.push(chunk);
      stream.off('data', onData);
      reject(tooLarge(stream, limit));
    };
    stream.on('data', onData);
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('error', () => reject(new Problem(400, 'malformed', 'The body ended before its end')));
    stream.once('close', () => reject(new Problem(400, 'malformed', 'The body ended before its end')));
  });
}

async function unpack(sent: Buffer, limit: number): Promise<Buffer> {
  try {
    return await inflate(sent, { maxOutputLength: limit });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw large(limit);
    throw new Problem(400, 'bad_encoding', 'The body is not the gzip that it claims to be');
  }
}

/** Of a body that is not much too large the rest is read, so that a sender who writes on comes to the answer. */
const BORNE = 10;

function tooLarge(stream: Readable, limit: number, promised = Number.POSITIVE_INFINITY): Problem {
  stream.resume();
  return large(limit, promised <= limit * BORNE ? {} : { connection: 'close' });
}

function large(limit: number, headers: Readonly<Record<string, string>> = {}): Problem {
  return new Problem(413, 'body_too_large', 'The body is over the limit', { detail: `at most ${limit} bytes`, headers });
}

function undone(stream: Readable, status: number, code: 'unsupported_media_type', detail: string): Problem {
  stream.resume();
  return new Problem(status, code, 'The content encoding is not known', { detail });
}

/** The lines of a buffer that are not blank, with their numbers from 1; null where the bytes are no UTF-8. */
export function* linesOf(body: Buffer): Generator<{ line: number; text: string | null }> {
  const clean = isUtf8(body);
  for (let start = 0, line = 1; start < body.length; line++) {
    const newline = body.indexOf(0x0a, start);
    const end = newline === -1 ? body.length : newline;
    const bytes = body.subarray(start, end);
    start = end + 1;
    const text = clean || isUtf8(bytes) ? bytes.toString() : null;
    if (text === null || text.trim() !== '') yield { line, text };
  }
}
