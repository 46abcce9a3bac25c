import { createHash, createHmac } from 'node:crypto';
import type { Address } from './import.ts';

/** Where the object of `s3://bucket/key` is asked for: on Amazon, or by path on a store that is compatible with it. */
export function s3Url({ url, endpoint, region = 'us-east-1' }: Address): string {
  const { hostname, pathname } = new URL(url);
  const key = pathname.slice(1);
  if (endpoint !== undefined) return `${endpoint.replace(/\/$/, '')}/${hostname}/${key}`;
  return `https://${hostname}.s3.${region}.amazonaws.com/${key}`;
}

export interface SignedRequest {
  readonly method: string;
  readonly url: URL;
  /** Lower-case names; all are signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Epoch ms. */
  readonly now: number;
  /** SHA-256 of the body in hex; absent: there is none. */
  readonly bodySha256?: string;
}

/** SHA-256 of no body. */
export const NO_BODY = createHash('sha256').update('').digest('hex');

/** Headers of a request under AWS Signature Version 4 (docs.aws.amazon.com, "Authenticating Requests: Using the Authorization Header"). */
export function signedHeaders(request: SignedRequest): Record<string, string> {
  const { method, url, region, accessKeyId, secretAccessKey, bodySha256 = NO_BODY } = request;
  const time = `${new Date(request.now).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
  const day = time.slice(0, 8);
  const headers: Record<string, string> = {
    ...request.headers,
    host: url.host,
    'x-amz-content-sha256': bodySha256,
    'x-amz-date': time,
  };
  const names = Object.keys(headers).sort();
  const query = [...url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  const path = url.pathname
    .split('/')
    .map((part) => encode(decodeURIComponent(part)))
    .join('/');
  const canonical = [
    method,
    path,
    query,
    ...names.map((name) => `${name}:${headers[name]?.trim()}`),
    '',
    names.join(';'),
    bodySha256,
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce<Buffer | string>(
    (secret, part) => hmac(secret, part),
    `AWS4${secretAccessKey}`,
  );
  const signature = hmac(key, text).toString('hex');
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope},SignedHeaders=${names.join(';')},Signature=${signature}`,
  };
}

const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
