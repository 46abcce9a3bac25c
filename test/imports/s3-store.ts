import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const KEY = 'AKIATEST';
export const SECRET = 'a secret of the tests';

/**
 * A store as Amazon documents S3: objects by path, ranges, entity tags, errors as XML with their codes, and each request only with a
 * signature (version 4) that holds. It knows nothing of our own signing.
 */
export interface S3Store {
  readonly endpoint: string;
  readonly objects: Map<string, Buffer>;
  /** What was asked and answered, as 'GET /bucket/key bytes=0-0 206'. */
  readonly asked: string[];
  /** Looks at each request that is signed well before it is answered; true: it has answered it; 'half': it breaks off in the middle. */
  before: (request: IncomingMessage, response: ServerResponse) => boolean | 'half' | Promise<boolean>;
  close(): void;
}

export async function startS3Store(): Promise<S3Store> {
  const server = createServer((request, response) => {
    response.on('close', () =>
      store.asked.push([request.method, request.url, request.headers.range ?? '-', response.statusCode].join(' ')),
    );
    void answer(store, request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const store: S3Store = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects: new Map(),
    asked: [],
    before: () => false,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return store;
}

async function answer(store: S3Store, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const fault = signatureFault(request);
  if (fault !== null) return refuse(response, 403, fault);
  const before = await store.before(request, response);
  if (before === true) return;
  const path = decodeURIComponent((request.url ?? '').split('?')[0] ?? '');
  if (path.startsWith('/forbidden/')) return refuse(response, 403, 'AccessDenied');
  const object = store.objects.get(path);
  if (object === undefined) return refuse(response, 404, 'NoSuchKey');
  const etag = `"${createHash('md5').update(object).digest('hex')}"`;
  if (request.headers['if-match'] !== undefined && request.headers['if-match'] !== etag)
    return refuse(response, 412, 'PreconditionFailed');
  const headers = { etag, 'last-modified': 'Sat, 21 Nov 2026 10:00:00 GMT', 'accept-ranges': 'bytes' };
  const [, from, through] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (from === undefined) {
    response.writeHead(200, { ...headers, 'content-length': object.length });
    return void response.end(request.method === 'HEAD' ? undefined : object);
  }
  if (Number(from) >= object.length)
    return refuse(response, 416, 'InvalidRange', { 'content-range': `bytes */${object.length}` });
  const last = through === '' || through === undefined ? object.length - 1 : Math.min(Number(through), object.length - 1);
  response.writeHead(206, {
    ...headers,
    'content-range': `bytes ${from}-${last}/${object.length}`,
    'content-length': last - Number(from) + 1,
  });
  const wanted = object.subarray(Number(from), last + 1);
  if (before === 'half') response.write(wanted.subarray(0, wanted.length / 2), () => request.socket.destroy());
  else response.end(wanted);
}

export function refuse(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/xml', ...headers });
  response.end(`<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>No.</Message></Error>`);
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** The code of S3 for what is wrong with a request's signature; null: it holds. */
function signatureFault({ method, url = '', headers }: IncomingMessage): string | null {
  const [, key, day, region, names = '', signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    ) ?? [];
  if (key === undefined) return 'AccessDenied';
  if (key !== KEY) return 'InvalidAccessKeyId';
  if (!names.split(';').includes('host')) return 'AccessDenied';
  const [path = '', query = ''] = url.split('?');
  const signed = names.split(';').map((name) => `${name}:${String(headers[name]).trim().replaceAll(/ +/g, ' ')}\n`);
  const canonical = [
    method,
    path,
    query.split('&').sort().join('&'),
    signed.join(''),
    names,
    headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD',
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n');
  const secret = hmac(hmac(hmac(hmac(`AWS4${SECRET}`, day as string), region as string), 's3'), 'aws4_request');
  return hmac(secret, text).toString('hex') === signature ? null : 'SignatureDoesNotMatch';
}
