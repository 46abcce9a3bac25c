import { createReadStream } from 'node:fs';
import { copyFile, mkdir, rename } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { guardedLookup } from '../imports/address.ts';
import { urlOf } from '../imports/ask.ts';
import type { Address } from '../imports/import.ts';
import { signedHeaders } from '../imports/s3.ts';
import type { ExportedFile } from './exports.ts';
import { outboxFolder } from './files.ts';

/** Without a byte of an answer. */
const PATIENCE_MS = 30_000;

export interface Posted {
  readonly status: number;
}

export interface Outgoing {
  readonly method: 'POST' | 'PUT';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | Readable;
  /** The operator lets messages go to the own network. */
  readonly allowInside: boolean;
}

/** Sends a body and returns the status of the answer, whose own body nobody reads. No redirects: what is signed is for one address. */
export function send({ method, url, headers, body, allowInside }: Outgoing): Promise<Posted> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const call = request(url, { method, headers, lookup: guardedLookup(allowInside), agent: false, timeout: PATIENCE_MS });
    call.on('response', (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0 });
    });
    call.on('timeout', () => call.destroy(new Error('the address does not answer')));
    call.on('error', reject);
    if (Buffer.isBuffer(body)) call.end(body);
    else
      body
        .on('error', (error) => {
          call.destroy(error);
          reject(error);
        })
        .pipe(call);
  });
}

export interface S3Target extends Pick<Address, 'url' | 'endpoint' | 'region'> {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Puts a file under the prefix of a bucket. Again it replaces itself. */
export async function putToS3(
  target: S3Target,
  path: string,
  file: ExportedFile,
  { allowInside, now }: { readonly allowInside: boolean; readonly now: number },
): Promise<Posted> {
  const { accessKeyId, secretAccessKey, region = 'us-east-1' } = target;
  const url = urlOf({ ...target, url: `${target.url}${file.name}` }, allowInside);
  const headers = signedHeaders({
    ...{ method: 'PUT', url, headers: {}, region, accessKeyId, secretAccessKey, now },
    bodySha256: file.sha256,
  });
  const length = { 'content-length': String(file.bytes), 'content-type': 'application/octet-stream' };
  return send({ method: 'PUT', url, headers: { ...headers, ...length }, body: createReadStream(path), allowInside });
}

/** Who watches the folder sees whole files only. */
export async function copyToFolder(uploads: string, folder: string, path: string, name: string): Promise<void> {
  const to = join(outboxFolder(uploads), folder);
  await mkdir(to, { recursive: true, mode: 0o700 });
  await copyFile(path, join(to, `.${name}.part`));
  await rename(join(to, `.${name}.part`), join(to, name));
}
