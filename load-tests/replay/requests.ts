import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';

/** Something to send to the bidder. */
export interface Call {
  readonly file: string;
  readonly body: Buffer;
}

/** What a household is called by exchange and device. */
export interface MappedUser {
  readonly household: string;
  readonly userId: string;
  readonly buyeruid: string;
  readonly ifa: string;
}

type Json = Record<string, unknown>;

/** Bytes of a file as calls: NDJSON is one a line, everything else one a file. */
export async function readCalls(root: string, files: readonly string[]): Promise<Call[]> {
  const calls: Call[] = [];
  for (const path of files) {
    const file = relative(root, path);
    const bytes = await readFile(path);
    for (const body of /\.(ndjson|jsonl)$/i.test(path) ? linesOf(bytes) : [bytes]) calls.push({ file, body });
  }
  return calls;
}

function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(10, start);
    const stop = end === -1 ? bytes.length : end;
    const line = bytes.subarray(start, stop);
    if (line.toString('latin1').trim() !== '') lines.push(line);
    start = stop + 1;
  }
  return lines;
}

/** Names that no exchange would have given before, the same in every replay. */
export function userOf(household: string): MappedUser {
  const digest = createHash('sha256').update(`replay household ${household}`).digest('hex');
  const uuid = `${digest.slice(0, 8)}-${digest.slice(8, 12)}-4${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
  return { household, userId: `hh-${digest.slice(32, 48)}`, buyeruid: `wk-${digest.slice(48, 64)}`, ifa: uuid };
}

/**
 * The request with its user mapped: `user.id` is always set, a device's advertising id and our own id only where it had them
 * (a zeroed advertising id is a refusal and stays). Null where the bytes are no JSON object: such a call is sent as it is.
 */
export function withUser(call: Call, user: MappedUser): Call | null {
  const request = objectOf(call.body);
  if (request === null) return null;
  const given = isObject(request['user']) ? request['user'] : {};
  const own = typeof given['buyeruid'] === 'string' ? { buyeruid: user.buyeruid } : {};
  request['user'] = { ...given, id: user.userId, ...own };
  const { device } = request;
  if (isObject(device) && typeof device['ifa'] === 'string' && /[1-9a-f]/i.test(device['ifa'])) device['ifa'] = user.ifa;
  return { file: call.file, body: Buffer.from(JSON.stringify(request)) };
}

/** Sizes of the banners that are asked for, the most frequent first. */
export function sizesOf(calls: readonly Call[]): { w: number; h: number }[] {
  const counts = new Map<string, number>();
  const count = (w: unknown, h: unknown) => {
    if (isPixels(w) && isPixels(h)) counts.set(`${w}x${h}`, (counts.get(`${w}x${h}`) ?? 0) + 1);
  };
  for (const { body } of calls) {
    const imps = objectOf(body)?.['imp'];
    for (const imp of Array.isArray(imps) ? imps : []) {
      const banner: unknown = isObject(imp) ? imp['banner'] : null;
      if (!isObject(banner)) continue;
      count(banner['w'], banner['h']);
      for (const format of Array.isArray(banner['format']) ? banner['format'] : [])
        if (isObject(format)) count(format['w'], format['h']);
    }
  }
  const sizes = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([size]) => size.split('x').map(Number));
  return sizes.map(([w, h]) => ({ w: w as number, h: h as number }));
}

const isPixels = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) <= 10_000;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

function objectOf(body: Buffer): Json | null {
  try {
    const value: unknown = JSON.parse(body.toString().replace(/^\ufeff/, ''));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
