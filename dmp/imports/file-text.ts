import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import { JobRefused } from '../jobs/jobs.ts';
import type { Encoding } from './import.ts';

/** The content of a file as text, in pieces. */
export interface FileText {
  /** Bytes read so far, as the file has them. */
  readonly bytesRead: () => number;
  readonly pieces: AsyncIterable<string>;
}

export interface FileBytes {
  readonly bytesRead: () => number;
  readonly pieces: AsyncIterable<Buffer>;
}

/** Small, so that what is cut out of it is gone before it grows old. */
const PIECE = 64 * 1024;
/** Of what a file may become when it is unpacked: a text packs to a tenth, a hundred times is a bomb. */
const MAX_RATIO = 200;
const FREE_BYTES = 16 * 1024 * 1024;
const MAX_BYTES = 256 * 1024 ** 3;

/** Opens a file, unpacked where it is gzip. */
export async function openBytes(path: string): Promise<FileBytes> {
  const head = await headOf(path);
  if (head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4)
    throw new JobRefused('bad_encoding', 'the file is a zip archive: send what is in it, or gzip');
  const file = createReadStream(path, { highWaterMark: PIECE });
  const packed = head[0] === 0x1f && head[1] === 0x8b;
  const content: Readable = packed ? chain(file, createGunzip({ chunkSize: PIECE })) : file;
  return { bytesRead: () => file.bytesRead, pieces: packed ? bounded(content, () => file.bytesRead) : content };
}

/** Opens a file as text of its encoding: the one that is said, else the one that its byte order mark says, else UTF-8. */
export async function openText(path: string, encoding: Encoding | undefined): Promise<FileText> {
  const { bytesRead, pieces } = await openBytes(path);
  return { bytesRead, pieces: decoded(pieces, encoding) };
}

interface Decoder {
  readonly decode: (bytes: Buffer) => string;
  readonly end: () => string;
}

async function* decoded(pieces: AsyncIterable<Buffer>, said: Encoding | undefined): AsyncGenerator<string> {
  let decoder: Decoder | null = null;
  for await (const bytes of pieces) {
    if (decoder !== null) {
      yield decoder.decode(bytes);
      continue;
    }
    const encoding = said ?? encodingOf(bytes);
    if (encoding === 'utf-8' && bytes.subarray(0, 4096).includes(0))
      throw new JobRefused(
        'bad_encoding',
        'the file holds zero bytes and no byte order mark: say its encoding, utf-16le or utf-16be',
      );
    decoder = decoderOf(encoding);
    const text = decoder.decode(bytes);
    yield text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  }
  if (decoder !== null) yield decoder.end();
}

/** Of what is plain ASCII the StringDecoder makes texts of one byte a character, by which a file is cut four times as fast. */
function decoderOf(encoding: Encoding): Decoder {
  if (encoding === 'utf-8') {
    const decoder = new StringDecoder('utf8');
    return { decode: (bytes) => decoder.write(bytes), end: () => decoder.end() };
  }
  const decoder = new TextDecoder(encoding, { ignoreBOM: true });
  return { decode: (bytes) => decoder.decode(bytes, { stream: true }), end: () => decoder.decode() };
}

function encodingOf(bytes: Buffer): Encoding {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
}

async function* bounded(content: AsyncIterable<Buffer>, read: () => number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const piece of content) {
    bytes += piece.length;
    if (bytes > FREE_BYTES && (bytes > MAX_RATIO * read() || bytes > MAX_BYTES))
      throw new JobRefused('body_too_large', `the file unpacks to more than ${MAX_RATIO} times its size`);
    yield piece;
  }
}

async function headOf(path: string): Promise<Buffer> {
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Faults of the first are met by who reads the last. */
function chain<Last extends NodeJS.ReadWriteStream & Readable>(from: Readable, to: Last): Last {
  pipeline(from, to, () => undefined);
  return to;
}
