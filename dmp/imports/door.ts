import { randomBytes } from 'node:crypto';
import { Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { JobRefused } from '../jobs/jobs.ts';
import { type AskOptions, askAddress } from './ask.ts';
import type { Address } from './import.ts';
import { storeRefusal } from './store-refusal.ts';

/** The one object that a reader may see, under a name that nobody can guess, for as long as its job runs. */
export interface Door {
  readonly name: string;
  /** URL of the object. */
  readonly object: string;
  /** URL of its bytes from one up to another, as an object of their own. */
  piece(from: number, through: number): string;
  serve(object: string, request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Bytes that the reader was given. */
  served(): number;
  /** Whether a reader came at all. */
  wasUsed(): boolean;
  /** Why the reader was refused; null: it was not. */
  fault(): unknown;
  /** Whatever is asked from here on is refused, so that a reader ends. */
  refuse(why: unknown): void;
  close(): void;
}

/** What an object was when it was first met. */
interface Known {
  readonly bytes: number;
  /** Changes with the content. */
  readonly mark: string;
  readonly modified: string;
}

/** Failures of the network one after another. The reader itself tries hundreds of times. */
const MOST_FAILURES = 6;
const WHOLE = 'object';

export function createDoor(base: string, address: Address, options: Omit<AskOptions, 'kept'>, onClose: () => void): Door {
  const name = `w${randomBytes(20).toString('hex')}`;
  const kept = { plain: new Agent({ keepAlive: true }), tls: new TlsAgent({ keepAlive: true }) };
  const asking = { ...options, kept };
  let fault: unknown = null;
  let failures = 0;
  let served = 0;
  let wasUsed = false;
  let knowing: Promise<Known> | null = null;

  /** Refuses what is wrong for good; lets the reader try again what may be better then. */
  const fail = (error: unknown, response: ServerResponse): void => {
    failures++;
    if (error instanceof JobRefused || failures >= MOST_FAILURES) fault ??= error;
    if (response.headersSent) return void response.destroy();
    response.writeHead(fault === null ? 503 : 403, { 'content-length': 0 }).end();
  };
  const known = (): Promise<Known> => {
    knowing ??= meet(address, asking).catch((error: unknown) => {
      knowing = null;
      throw error;
    });
    return knowing;
  };
  const give = async (object: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { bytes, mark, modified } = await known();
    const [from, through] = boundsOf(object, bytes);
    const headers = { etag: mark, 'last-modified': modified, 'accept-ranges': 'bytes' };
    const wanted = rangeOf(request.headers.range, through - from + 1);
    if (request.method === 'HEAD' || wanted === null)
      return void response.writeHead(200, { ...headers, 'content-length': through - from + 1 }).end();
    const [first, last] = [from + wanted.first, from + wanted.last];
    const upstream = await askAddress(address, `bytes=${first}-${last}`, asking);
    await mustBe(upstream, { bytes, mark, first, last });
    response.writeHead(request.headers.range === undefined ? 200 : 206, {
      ...headers,
      'content-length': last - first + 1,
      ...(request.headers.range === undefined
        ? {}
        : { 'content-range': `bytes ${wanted.first}-${wanted.last}/${through - from + 1}` }),
    });
    upstream.on('data', (chunk: Buffer) => {
      served += chunk.length;
    });
    await pipeline(upstream, response);
    failures = 0;
  };
  return {
    name,
    object: `${base}/${name}/${WHOLE}`,
    piece: (from, through) => `${base}/${name}/${from}-${through}`,
    serve: async (object, request, response) => {
      wasUsed = true;
      if (fault !== null) return void response.writeHead(403, { 'content-length': 0 }).end();
      await give(object, request, response).catch((error: NodeJS.ErrnoException) => {
        // The reader has what it wants, or is gone.
        if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') fail(error, response);
      });
    },
    served: () => served,
    wasUsed: () => wasUsed,
    fault: () => fault,
    refuse: (why) => {
      fault ??= why;
    },
    close: () => {
      fault ??= new Error('the door is closed');
      onClose();
      kept.plain.destroy();
      kept.tls.destroy();
    },
  };
}

/** Asks for one byte: of a refusal without a body, as a HEAD's is, nobody learns the reason. */
async function meet(address: Address, asking: AskOptions): Promise<Known> {
  const response = await askAddress(address, 'bytes=0-0', asking);
  const { statusCode: status, headers } = response;
  const total = /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1];
  const bytes =
    status === 200 ? headers['content-length'] : status === 206 || (status === 416 && total === '0') ? total : undefined;
  if (bytes === undefined) throw await storeRefusal(response);
  // Of a store that gives all of it.
  if (status === 200) response.destroy();
  else response.resume();
  return { bytes: Number(bytes), mark: markOf(response), modified: headers['last-modified'] ?? new Date(0).toUTCString() };
}

function markOf({ headers }: IncomingMessage): string {
  return headers.etag ?? `"${headers['last-modified'] ?? ''}"`;
}

interface Wanted {
  readonly bytes: number;
  readonly mark: string;
  readonly first: number;
  readonly last: number;
}

/** Throws where the answer is not those bytes of the object that was met before. */
async function mustBe(response: IncomingMessage, { bytes, mark, first, last }: Wanted): Promise<void> {
  const { statusCode: status, headers } = response;
  if (status !== 200 && status !== 206) throw await storeRefusal(response);
  const range =
    status === 200 ? `bytes 0-${Number(headers['content-length']) - 1}/${headers['content-length']}` : headers['content-range'];
  if (range === `bytes ${first}-${last}/${bytes}` && markOf(response) === mark) return;
  response.destroy();
  const isWhole = status === 200 && range?.endsWith(`/${bytes}`) === true && markOf(response) === mark;
  throw isWhole
    ? new JobRefused('unreachable', 'the store gives no ranges of an object')
    : new JobRefused('bad_encoding', 'the object was changed while it was read');
}

/** Offsets of the first and the last byte of what is asked for by name. */
function boundsOf(object: string, bytes: number): readonly [number, number] {
  const [, from, through] = /^(\d+)-(\d+)$/.exec(object) ?? [];
  return from === undefined ? [0, bytes - 1] : [Number(from), Math.min(Number(through), bytes - 1)];
}

/** Of that many bytes; null: there are none. */
function rangeOf(header: string | undefined, bytes: number): { readonly first: number; readonly last: number } | null {
  if (bytes <= 0) return null;
  const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(header ?? '') ?? [];
  return { first: Number(first), last: last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1) };
}
