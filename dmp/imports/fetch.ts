import { JobRefused } from '../jobs/jobs.ts';
import { Problem } from '../problem.ts';
import { type AskOptions, askAddress } from './ask.ts';
import type { Address } from './import.ts';
import type { ImportFile } from './records.ts';
import { storeUpload } from './upload.ts';

export interface FetchOptions extends AskOptions {
  readonly folder: string;
  readonly id: string;
  readonly maxBytes?: number;
}

/** Fetches a file to the folder for uploads, as if it had been sent. JobRefused where trying again is of no use. */
export async function fetchFile(address: Address, options: FetchOptions): Promise<ImportFile> {
  const response = await askAddress(address, null, options);
  const { statusCode: status = 0 } = response;
  if (status !== 200) {
    response.resume();
    const message = `the address answered ${status}`;
    throw status >= 500 || status === 429 ? new Error(`unreachable: ${message}`) : new JobRefused('unreachable', message);
  }
  const file = await storeUpload(options.folder, options.id, response, options.maxBytes).catch((error: unknown) => {
    throw refusalOf(error);
  });
  const promised = response.headers['content-length'];
  if (promised !== undefined && Number(promised) !== file.bytes)
    throw new Error(`unreachable: ${file.bytes} of ${promised} bytes came`);
  return file;
}

/** What is wrong with a file that was fetched stays wrong. */
export function refusalOf(error: unknown): unknown {
  if (!(error instanceof Problem)) return error;
  return error.code === 'body_too_large' || error.code === 'empty_body' ? new JobRefused(error.code, error.message) : error;
}
