import { gunzipSync } from 'node:zlib';
import type { Answer, Question, Terms } from './case.ts';
import { numberOf } from './read.ts';

/** Faults of the answer as HTTP, and its plain body where there is one. */
export function judgeTransport(question: Question, answer: Answer, terms: Terms): { faults: string[]; body: Buffer | null } {
  const late = judgeTime(question, answer, terms);
  if (answer.status === 200) {
    const { faults, body } = judgeBody(question, answer);
    return { faults: [...late, ...faults], body };
  }
  const known = answer.status === 204 || answer.status === 400;
  const faults = known ? judgeEmpty(answer) : [`status ${answer.status} is none of 200, 204, 400`];
  return { faults: [...late, ...faults], body: null };
}

function judgeTime({ request }: Question, { milliseconds }: Answer, { patience }: Terms): string[] {
  if (patience === 0) return [];
  const tmax = numberOf(request?.['tmax']) ?? 0;
  const limit = tmax > 0 ? Math.min(tmax, patience) : patience;
  return milliseconds > limit ? [`answered after ${Math.round(milliseconds)} ms of ${limit} ms`] : [];
}

function judgeBody(question: Question, { headers, body }: Answer): { faults: string[]; body: Buffer | null } {
  const faults: string[] = [];
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type !== question.contentType) faults.push(`content-type "${type}" is not ${question.contentType}`);
  const length = headers['content-length'];
  if (length === undefined) faults.push('no content-length');
  else if (Number(length) !== body.length) faults.push(`content-length ${length} for ${body.length} bytes`);
  faults.push(...judgeVersion(headers));
  const encoding = headers['content-encoding'];
  if (body.length === 0) faults.push('status 200 without a body');
  if (encoding === undefined) return { faults, body };
  if (encoding !== 'gzip') return { faults: [...faults, `content-encoding ${encoding} was not asked for`], body: null };
  if (!question.acceptsGzip) faults.push('gzip was not asked for');
  try {
    return { faults, body: gunzipSync(body) };
  } catch {
    return { faults: [...faults, 'the body is no gzip'], body: null };
  }
}

function judgeEmpty({ status, headers, body }: Answer): string[] {
  const faults: string[] = [];
  if (body.length > 0) faults.push(`status ${status} with a body of ${body.length} bytes`);
  if (headers['content-encoding'] !== undefined) faults.push(`status ${status} with content-encoding`);
  if (status === 204 && headers['content-type'] !== undefined) faults.push('status 204 with content-type');
  const length = headers['content-length'];
  if (length !== undefined && length !== '0') faults.push(`status ${status} with content-length ${length}`);
  return status === 204 ? [...faults, ...judgeVersion(headers)] : faults;
}

function judgeVersion(headers: Answer['headers']): string[] {
  const version = headers['x-openrtb-version'];
  return /^2\.\d+$/.test(version ?? '') ? [] : [`x-openrtb-version is ${version === undefined ? 'absent' : `"${version}"`}`];
}
