import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { JobRefused } from '../jobs/jobs.ts';
import { Problem } from '../problem.ts';
import { guardedLookup, readAddress } from './address.ts';
import type { Address } from './import.ts';
import type { ImportFile } from './records.ts';
import { s3Url, signedHeaders } from './s3.ts';
import { storeUpload } from './upload.ts';

const MOST_REDIRECTS = 5;
/** Without a byte. */
const PATIENCE_MS = 60_000;

export interface FetchOptions {
  readonly folder: string;
  readonly id: string;
  /** The operator lets files be fetched from the own network. */
  readonly allowInside: boolean;
  readonly now: number;
  readonly maxBytes?: number;
}

/** Where a file is to be fetched from. Throws a 422 problem where that may not be asked. */
export function urlOf(address: Address, allowInside: boolean): URL {
  if (!address.url.startsWith('s3://')) return readAddress(address.url, allowInside);
  if (!/^s3:\/\/[a-z0-9][a-z0-9.-]{1,62}\/.+$/.test(address.url))
    throw new Problem(422, 'address_refused', 'The address is not s3://bucket/key');
  return readAddress(s3Url(address), allowInside);
}

/**
 * Fetches a file to the folder for uploads, as if it had been sent. Each redirect is looked at as the address itself was; keys
 * go nowhere but to the host that they were given for. JobRefused where trying again is of no use.
 */
export async function fetchFile(address: Address, options: FetchOptions): Promise<ImportFile> {
  try {
    const first = urlOf(address, options.allowInside);
    const response = await follow(first, address, options, 0);
    const file = await storeUpload(options.folder, options.id, response, options.maxBytes);
    const promised = response.headers['content-length'];
    if (promised !== undefined && Number(promised) !== file.bytes)
      throw new Error(`unreachable: ${file.bytes} of ${promised} bytes came`);
    return file;
  } catch (error) {
    if (error instanceof Problem && error.status === 422) throw new JobRefused('address_refused', error.message);
    if (error instanceof Problem && error.status === 413) throw new JobRefused('body_too_large', error.message);
    throw error;
  }
}

async function follow(url: URL, address: Address, options: FetchOptions, redirects: number): Promise<IncomingMessage> {
  const response = await ask(url, headersFor(url, address, options), options.allowInside);
  const { statusCode: status = 0, headers } = response;
  if (status === 200) return response;
  response.resume();
  if (status >= 300 && status < 400 && headers.location !== undefined) {
    if (redirects === MOST_REDIRECTS)
      throw new JobRefused('unreachable', `the address redirects more than ${MOST_REDIRECTS} times`);
    const next = readAddress(new URL(headers.location, url).href, options.allowInside);
    return follow(next, address, options, redirects + 1);
  }
  const message = `the address answered ${status}`;
  throw status >= 500 || status === 429 ? new Error(`unreachable: ${message}`) : new JobRefused('unreachable', message);
}

function headersFor(url: URL, address: Address, { allowInside, now }: FetchOptions): Record<string, string> {
  const { accessKeyId, secretAccessKey, region = 'us-east-1' } = address;
  const plain = { 'accept-encoding': 'identity', 'user-agent': 'walkin' };
  if (accessKeyId === undefined || secretAccessKey === undefined || url.host !== urlOf(address, allowInside).host) return plain;
  return { ...plain, ...signedHeaders({ method: 'GET', url, headers: {}, region, accessKeyId, secretAccessKey, now }) };
}

function ask(url: URL, headers: Record<string, string>, allowInside: boolean): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const call = request(url, { headers, lookup: guardedLookup(allowInside), agent: false, timeout: PATIENCE_MS });
    call.on('response', (response) => {
      response.setTimeout(PATIENCE_MS, () => response.destroy(new Error('unreachable: the address fell silent')));
      resolve(response);
    });
    call.on('timeout', () => call.destroy(new Error('unreachable: the address does not answer')));
    call.on('error', (error) => reject(error instanceof Problem ? error : new Error(`unreachable: ${error.message}`)));
    call.end();
  });
}
