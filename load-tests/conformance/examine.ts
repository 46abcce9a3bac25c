import { gzipSync } from 'node:zlib';
import type { Sample } from './corpus.ts';
import type { Terms } from './judge/case.ts';
import { judge } from './judge/judge.ts';
import { isObject, type Json, objectOf, textOf } from './judge/read.ts';
import { decodeResponse, encodeRequest, losesInProtobuf } from './protobuf.ts';
import type { Message, Reply } from './send.ts';

export interface Result {
  readonly file: string;
  readonly faults: readonly string[];
  readonly bids: readonly Json[];
  /** What was decided, to compare ways of sending. */
  readonly decision: string;
  readonly milliseconds: number;
}

export type Send = (message: Message) => Promise<Reply>;

/** Sends the request as its file is and judges the answer. */
export async function examine(sample: Sample, gzip: boolean, send: Send, terms: Terms): Promise<Result> {
  const { body, contentType, request, fatal, file } = sample;
  const headers = {
    'content-type': contentType,
    'x-openrtb-version': '2.6',
    ...(gzip ? { 'content-encoding': 'gzip', 'accept-encoding': 'gzip' } : {}),
  };
  const reply = await send({ headers, body: gzip ? gzipSync(body) : body });
  if (reply.status === 0)
    return { file, faults: [reply.error || 'no answer'], bids: [], decision: 'none', milliseconds: reply.milliseconds };
  const read = contentType === 'application/json' ? (bytes: Buffer): unknown => JSON.parse(bytes.toString()) : decodeResponse;
  const { faults, bids } = judge({ contentType, request, fatal, acceptsGzip: gzip }, { ...reply, read }, terms);
  return { file, faults, bids, decision: decisionOf(reply.status, bids), milliseconds: reply.milliseconds };
}

function decisionOf(status: number, bids: readonly Json[]): string {
  if (bids.length === 0) return status === 400 ? 'refused' : 'no bid';
  const each = bids.map(({ impid, price, crid, dealid }) => `${impid} ${price} ${crid} ${dealid ?? '-'}`);
  return each.sort().join(', ');
}

/** The same request as protobuf, or why it cannot be sent as such. */
export function asProtobuf(sample: Sample): Sample | string {
  if (sample.contentType === 'application/x-protobuf') return 'is protobuf already';
  if (sample.request === null) return 'is no JSON object';
  const faults = misfits(sample.request);
  if (faults.length > 0) return faults.join(', ');
  return { ...sample, contentType: 'application/x-protobuf', body: encodeRequest(sample.request) };
}

/** Faults that are faults of JSON alone and vanish on the way to protobuf, and fields that it does not have. */
function misfits(request: Json): readonly string[] {
  const imps = Array.isArray(request['imp']) ? request['imp'] : [];
  const odd = imps.some(
    (imp: unknown) => !isObject(imp) || (imp['ext'] !== undefined && imp['ext'] !== null && !isObject(imp['ext'])),
  );
  const rounded = [request['id'], ...imps.map((imp: unknown) => objectOf(imp)['id'])].some(
    (id) => typeof id === 'number' && !Number.isSafeInteger(id),
  );
  return [
    ...losesInProtobuf(request),
    ...(odd ? ['an imp or its ext is no object'] : []),
    ...(rounded ? [`an id such as ${textOf(request['id'])} is rounded`] : []),
  ];
}
