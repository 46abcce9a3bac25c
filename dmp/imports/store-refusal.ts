import type { IncomingMessage } from 'node:http';
import { JobRefused } from '../jobs/jobs.ts';

/** Of an error's body: stores say it in a few hundred bytes. */
const MOST = 16 * 1024;
/** Codes of S3 that ask for another try, whatever their status. */
const LATER = new Set(['SlowDown', 'InternalError', 'ServiceUnavailable', 'RequestTimeout', 'OperationAborted']);

/**
 * What a store compatible with S3 refuses, by its own code (NoSuchKey, AccessDenied, SignatureDoesNotMatch…): JobRefused where
 * trying again is of no use. The texts of strangers are not repeated, but for a region's name, without which nobody finds the fault.
 */
export async function storeRefusal(response: IncomingMessage): Promise<Error> {
  const { statusCode: status = 0 } = response;
  const body = await beginningOf(response);
  const code = /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(body)?.[1];
  const region = /<Region>([a-z0-9-]{1,32})<\/Region>/.exec(body)?.[1];
  const message = `the store answered ${status}${code === undefined ? '' : ` ${code}`}${region === undefined ? '' : ` (region ${region})`}`;
  const isLater = status >= 500 || status === 429 || (code !== undefined && LATER.has(code));
  return isLater ? new Error(`unreachable: ${message}`) : new JobRefused('unreachable', message);
}

async function beginningOf(response: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const chunk of response) {
      text += (chunk as Buffer).toString('latin1');
      if (text.length > MOST) break;
    }
  } catch {
    // What came says enough.
  }
  return text;
}
