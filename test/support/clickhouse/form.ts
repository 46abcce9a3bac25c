import type { IncomingMessage } from 'node:http';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import { Refusal } from './refusal.ts';

/** What a server takes by default: http_max_uri_size, and http_max_field_value_size for a field of the address or of a form. */
const MOST_ADDRESS = 1_048_576;
const MOST_FIELD = 131_072;

export interface Form {
  /** Of the address and of a body that is a form. The statement may come in pieces, each a field `query`. */
  readonly fields: ReadonlyMap<string, string>;
  /** Of a body that is no form. */
  readonly body: Buffer;
}

/** The request as a server reads it. */
export async function readForm(request: IncomingMessage): Promise<Form> {
  const [, query = ''] = /^[^?]*\??(.*)$/s.exec(request.url ?? '') ?? [];
  if (query.length > MOST_ADDRESS) throw new Refusal(1000, 'POCO_EXCEPTION', 'URI too long');
  for (const field of query.split('&')) refuseLong(field.length - field.indexOf('=') - 1);
  const inAddress = [...new URLSearchParams(query)].map(([name, value]) => [name, Buffer.from(value)] as const);
  const body = await readBody(request);
  const [, quoted, plain] =
    /^multipart\/form-data;.*boundary=(?:"([^"]+)"|([^;]+))/.exec(request.headers['content-type'] ?? '') ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) return { fields: joined(inAddress), body };
  return { fields: joined([...inAddress, ...partsOf(body, boundary)]), body: Buffer.alloc(0) };
}

type Field = readonly [name: string, value: Buffer];

function joined(fields: readonly Field[]): Map<string, string> {
  const all = new Map<string, Buffer>();
  for (const [name, value] of fields) {
    const before = name === 'query' ? all.get(name) : undefined;
    all.set(name, before === undefined ? value : Buffer.concat([before, value]));
  }
  return new Map([...all].map(([name, value]) => [name, value.toString()]));
}

/** Of a form's body. Files, which would be temporary tables, are not known here. */
function partsOf(body: Buffer, boundary: string): Field[] {
  const parts: Field[] = [];
  const line = `--${boundary}`;
  let at = body.indexOf(line);
  for (;;) {
    const head = body.indexOf('\r\n', at) + 2;
    const end = body.indexOf(`\r\n${line}`, head);
    if (at < 0 || end < 0) return parts;
    const start = body.indexOf('\r\n\r\n', head) + 4;
    const [, name = ''] = /name="([^"]*)"/.exec(body.toString('utf8', head, start)) ?? [];
    refuseLong(end - start);
    parts.push([name, body.subarray(start, end)]);
    at = end + 2;
  }
}

function refuseLong(length: number): void {
  if (length > MOST_FIELD) throw new Refusal(1000, 'POCO_EXCEPTION', 'HTML Form Exception: Field value too long');
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const { 'content-encoding': encoding } = request.headers;
  const stream =
    encoding === 'gzip' ? request.pipe(createGunzip()) : encoding === 'br' ? request.pipe(createBrotliDecompress()) : request;
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
