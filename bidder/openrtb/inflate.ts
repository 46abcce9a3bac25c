import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';

/** Largest body as it comes in compressed, and largest body plain or inflated. */
export const MAX_COMPRESSED = 64 * 1024;
export const MAX_BODY = 256 * 1024;

export type InflateFault = 'malformed' | 'too_large';

/** The plain body. gzip is known by its magic bytes, since senders forget or invent the header. */
export function inflate(body: Buffer, encoding: string | undefined): Buffer | InflateFault {
  const decompress = decompressorOf(body, encoding);
  if (decompress === null) return body.length > MAX_BODY ? 'too_large' : body;
  if (body.length > MAX_COMPRESSED) return 'too_large';
  try {
    return decompress(body, { maxOutputLength: MAX_BODY });
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'too_large' : 'malformed';
  }
}

type Decompressor = (body: Buffer, options: { maxOutputLength: number }) => Buffer;

function decompressorOf(body: Buffer, encoding: string | undefined): Decompressor | null {
  if (body[0] === 0x1f && body[1] === 0x8b) return gunzipSync;
  if (encoding === undefined) return null;
  const name = encoding.trim().toLowerCase();
  if (name === 'deflate') return inflateSync;
  return name === 'br' ? brotliDecompressSync : null;
}
