import * as zlib from 'node:zlib';
import type { Quirks } from './fields.ts';

/** Largest body as it comes in compressed, and largest body plain or inflated. */
export const MAX_COMPRESSED = 64 * 1024;
export const MAX_BODY = 256 * 1024;

export type InflateFault = 'malformed' | 'too_large' | 'unsupported_encoding';

export type Decompressor = (body: Buffer, options: { maxOutputLength: number }) => Buffer;

/** Node has it from 22.15 on. */
const { zstdDecompressSync } = zlib as { zstdDecompressSync?: Decompressor };

/** What a sender may say it compressed with. */
export const ACCEPTED_ENCODINGS = ['gzip', 'deflate', 'br', ...(zstdDecompressSync === undefined ? [] : ['zstd'])].join(', ');

/**
 * The plain body. gzip and zstd are known by their magic bytes, since senders forget or invent the header. Never more than
 * `MAX_BODY` is inflated.
 */
export function inflate(body: Buffer, encoding: string | undefined, quirks: Quirks): Buffer | InflateFault {
  const decompress = decompressorOf(body, encoding?.trim().toLowerCase() ?? '', quirks);
  if (decompress === 'unsupported_encoding') return decompress;
  if (decompress === null) return body.length > MAX_BODY ? 'too_large' : body;
  if (body.length > MAX_COMPRESSED) return 'too_large';
  try {
    return decompress(body, { maxOutputLength: MAX_BODY });
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'too_large' : 'malformed';
  }
}

function decompressorOf(body: Buffer, encoding: string, quirks: Quirks): Decompressor | null | 'unsupported_encoding' {
  const magic = magicOf(body);
  if (magic !== null) {
    if (encoding !== magic && encoding !== `x-${magic}`) quirks.add('compressed_unsaid');
    return magic === 'gzip' ? zlib.gunzipSync : (zstdDecompressSync ?? 'unsupported_encoding');
  }
  if (encoding === 'deflate') return isZlib(body) ? zlib.inflateSync : zlib.inflateRawSync;
  // Anything else is plain text under a wrong name, or nothing that can be read.
  return encoding === 'br' ? zlib.brotliDecompressSync : null;
}

/** Of a JSON object, which nearly all bodies are. */
const BRACE = 0x7b;

function magicOf(body: Buffer): 'gzip' | 'zstd' | null {
  if (body[0] === BRACE) return null;
  if (body[0] === 0x1f && body[1] === 0x8b) return 'gzip';
  return body.length >= 4 && body.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : null;
}

/** "deflate" means zlib's format; as many senders leave its two bytes out. */
function isZlib(body: Buffer): boolean {
  return body.length >= 2 && ((body[0] as number) & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0;
}
