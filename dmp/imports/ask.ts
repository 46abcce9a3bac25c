import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type Agent as TlsAgent } from 'node:https';
import { JobRefused } from '../jobs/jobs.ts';
import { Problem } from '../problem.ts';
import { guardedLookup, readAddress } from './address.ts';
import type { Address } from './import.ts';
import { s3Url, signedHeaders } from './s3.ts';

const MOST_REDIRECTS = 5;
/** Without a byte. */
const PATIENCE_MS = 60_000;

export interface AskOptions {
  /** The operator lets files be fetched from the own network. */
  readonly allowInside: boolean;
  readonly now: () => number;
  /** Connections that are kept between questions to the same address; absent: each has its own. */
  readonly kept?: { readonly plain: Agent; readonly tls: TlsAgent };
}

/** Where a file is to be fetched from. Throws a 422 problem where that may not be asked. */
export function urlOf(address: Address, allowInside: boolean): URL {
  if (!address.url.startsWith('s3://')) return readAddress(address.url, allowInside);
  if (!/^s3:\/\/[a-z0-9][a-z0-9.-]{1,62}\/.+$/.test(address.url))
    throw new Problem(422, 'address_refused', 'The address is not s3://bucket/key');
  return readAddress(s3Url(address), allowInside);
}

/**
 * Asks an address for a file, or for a range of its bytes, and answers whatever it answers but redirects: each of those is looked
 * at as the address itself was, and keys go nowhere but to the host that they were given for. JobRefused where trying again is of
 * no use; what the network does wrong is an error that begins with `unreachable`.
 */
export async function askAddress(address: Address, range: string | null, options: AskOptions): Promise<IncomingMessage> {
  try {
    return await follow(urlOf(address, options.allowInside), address, range, options, 0);
  } catch (error) {
    throw error instanceof Problem && error.status === 422 ? new JobRefused('address_refused', error.message) : error;
  }
}

async function follow(
  url: URL,
  address: Address,
  range: string | null,
  options: AskOptions,
  redirects: number,
): Promise<IncomingMessage> {
  const response = await ask(url, headersFor(url, address, range, options), options);
  const { statusCode: status = 0, headers } = response;
  if (status < 300 || status >= 400 || headers.location === undefined) return response;
  response.resume();
  if (redirects === MOST_REDIRECTS)
    throw new JobRefused('unreachable', `the address redirects more than ${MOST_REDIRECTS} times`);
  const next = readAddress(new URL(headers.location, url).href, options.allowInside);
  return follow(next, address, range, options, redirects + 1);
}

function headersFor(url: URL, address: Address, range: string | null, { allowInside, now }: AskOptions): Record<string, string> {
  const { accessKeyId, secretAccessKey, region = 'us-east-1' } = address;
  const plain = { 'accept-encoding': 'identity', 'user-agent': 'walkin', ...(range === null ? {} : { range }) };
  if (accessKeyId === undefined || secretAccessKey === undefined || url.host !== urlOf(address, allowInside).host) return plain;
  return { ...plain, ...signedHeaders({ method: 'GET', url, headers: {}, region, accessKeyId, secretAccessKey, now: now() }) };
}

function ask(url: URL, headers: Record<string, string>, { allowInside, kept }: AskOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = { headers, lookup: guardedLookup(allowInside), timeout: PATIENCE_MS };
    const call =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...asked, agent: kept?.tls ?? false })
        : httpRequest(url, { ...asked, agent: kept?.plain ?? false });
    call.on('response', (response) => {
      response.setTimeout(PATIENCE_MS, () => response.destroy(new Error('unreachable: the address fell silent')));
      resolve(response);
    });
    call.on('timeout', () => call.destroy(new Error('unreachable: the address does not answer')));
    call.on('error', (error) => reject(error instanceof Problem ? error : new Error(`unreachable: ${error.message}`)));
    call.end();
  });
}
