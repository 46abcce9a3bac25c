import { readFileSync } from 'node:fs';
import protobuf, { type Field, type Type } from 'protobufjs';
import { isObject, isOn, type Json, listOf, numberOf, objectOf, textOf, wholesOf } from './judge/read.ts';

/**
 * The tool's own protobuf, from the table of field numbers that IAB Tech Lab and Google share
 * (IABTechLab/openrtb-proto-v2, Apache-2.0), so that a wrong number in the bidder is seen.
 */
const descriptor = JSON.parse(readFileSync(new URL('./openrtb-fields.json', import.meta.url), 'utf8')) as protobuf.INamespace;
const root = protobuf.Root.fromJSON(descriptor);
root.resolveAll();
const Request = root.lookupType('BidRequest');
const Response = root.lookupType('BidResponse');

/** Flags that protect somebody: what is there and is not clearly "no" is "yes". */
const PROTECTING = new Set(['lmt', 'dnt', 'coppa', 'gdpr']);
const LARGEST = 2 ** 31 - 1;

/** The request as a sender of protobuf would write it: what its fields cannot carry is left out. */
export function encodeRequest(request: Json): Buffer {
  return Buffer.from(Request.encode(Request.fromObject(messageOf(withoutExt(request), Request))).finish());
}

export function decodeRequest(body: Buffer): Json | null {
  try {
    return Request.toObject(Request.decode(body), { longs: String, json: true }) as Json;
  } catch {
    return null;
  }
}

/** Throws where the bytes are no response. */
export function decodeResponse(body: Buffer): unknown {
  return Response.toObject(Response.decode(body), { longs: String });
}

/** Decides something here and has no field in protobuf. */
const ONLY_JSON: readonly (readonly [object: string, field: string])[] = [
  ['device', 'atts'],
  ['regs', 'gpc'],
  ['regs', 'dsa'],
];

/** What of the request protobuf cannot carry and might decide. */
export function losesInProtobuf(request: Json): readonly string[] {
  const lost = ONLY_JSON.filter(([object, field]) => objectOf(objectOf(request[object])['ext'])[field] !== undefined);
  return lost.map(([object, field]) => `${object}.ext.${field}`);
}

/** Fields of 2.5 in their places of 2.6, as a sender of protobuf has no other. */
function withoutExt(request: Json): Json {
  const lifted = (name: string, fields: readonly string[]): Json => {
    const object = objectOf(request[name]);
    const ext = objectOf(object['ext']);
    const given = fields.flatMap((field) =>
      (object[field] ?? ext[field]) === undefined ? [] : [[field, object[field] ?? ext[field]]],
    );
    return isObject(request[name]) ? { [name]: { ...object, ...Object.fromEntries(given) } } : {};
  };
  return {
    ...request,
    ...lifted('regs', ['gdpr', 'us_privacy', 'gpp', 'gpp_sid', 'coppa']),
    ...lifted('user', ['consent', 'eids']),
    ...lifted('source', ['schain']),
  };
}

function messageOf(object: Json, type: Type): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  for (const field of type.fieldsArray) {
    const value = object[field.name];
    if (value === undefined || value === null) continue;
    const list = field.repeated ? listOf(value) : [value];
    const read = list.map((one) => fieldValue(one, field)).filter((one) => one !== undefined);
    if (read.length > 0) message[field.name] = field.repeated ? read : read[0];
  }
  if (type.name === 'Native' && isObject(object['request'])) {
    const request = objectOf(object['request']);
    const wanted = isObject(request['native']) ? request['native'] : request;
    message['request_native'] = messageOf(wanted, root.lookupType('NativeRequest'));
    delete message['request'];
  }
  // The one protocol of 2.2 is sent as a list too, which only `protocols` can carry.
  if (type.name === 'Video' && Array.isArray(object['protocol']) && message['protocols'] === undefined) {
    message['protocols'] = wholesOf(object['protocol']);
    delete message['protocol'];
  }
  return message;
}

function fieldValue(value: unknown, field: Field): unknown {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Type) return isObject(value) ? messageOf(value, resolvedType) : undefined;
  if (field.type === 'bool') return PROTECTING.has(field.name) ? isProtected(value) : isOn(value);
  if (field.type === 'string') return typeof value === 'string' || typeof value === 'number' ? textOf(value) : undefined;
  const number = numberOf(value);
  if (number === null || field.type === 'double') return number ?? undefined;
  return Math.abs(number) <= LARGEST ? Math.trunc(number) : undefined;
}

function isProtected(value: unknown): boolean | undefined {
  if (value === '') return undefined;
  return value !== false && value !== 'false' && numberOf(value) !== 0;
}
