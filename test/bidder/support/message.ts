import protobuf from 'protobufjs';
import { BID_REQUEST } from '../../../bidder/openrtb/protobuf.ts';

type Fields = Record<string, unknown>;

/**
 * A JSON request as the message that the same sender would send: fields of 2.5 in their places of 2.6, scalars in their types,
 * and without what has no number.
 */
export function encodeRequestMessage(request: unknown): Buffer {
  const fields = fieldsOf(BID_REQUEST, request) ?? {};
  return Buffer.from(BID_REQUEST.encode(BID_REQUEST.fromObject(fields)).finish());
}

/** Fields that 2.5 had in the `ext` of the same object. */
const MOVED = new Set([
  'Regs.coppa',
  'Regs.gdpr',
  'Regs.us_privacy',
  'Regs.gpp',
  'Regs.gpp_sid',
  'User.consent',
  'User.eids',
  'Source.schain',
  'Imp.rwdd',
  'Imp.qty',
  'Deal.guar',
]);

/** Flags that protect somebody: all that is not clearly "no" is "yes", as a reader of the JSON takes them. */
const PROTECTIONS = new Set(['coppa', 'gdpr', 'dnt', 'lmt', 'private_auction']);

function boolOf(name: string, value: unknown): boolean | undefined {
  if (value === true || value === 'true' || Number(value) === 1) return true;
  if (value === false || value === 'false' || Number(value) === 0) return false;
  return PROTECTIONS.has(name) ? true : undefined;
}

function fieldsOf(type: protobuf.Type, value: unknown): Fields | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const from = value as Fields;
  const to: Fields = {};
  for (const field of type.fieldsArray) {
    const given = fieldOf(type, field.name, from);
    if (given === undefined || given === null || given === '') continue;
    const values = (Array.isArray(given) ? given : [given])
      .map((item) => readAs(field, item))
      .filter((item) => item !== undefined);
    if (field.repeated) to[field.name] = values;
    else if (!Array.isArray(given) && values.length > 0) to[field.name] = values[0];
  }
  return to;
}

function fieldOf(type: protobuf.Type, name: string, from: Fields): unknown {
  // Where a native request is an object, it is a message.
  if (name === 'request_native')
    return typeof from['request'] === 'object' ? unwrap(from['request'] as Fields | null) : undefined;
  if (name === 'request' && typeof from['request'] === 'object') return undefined;
  const own = from[name] ?? (name === 'protocols' ? from['protocol'] : undefined);
  if (own !== undefined && own !== null && own !== '') return own;
  if (name === 'rwdd' && isRewardedVideo(from['video'])) return 1;
  const ext = from['ext'] as Fields | undefined;
  return MOVED.has(`${type.name}.${name}`) && typeof ext === 'object' && ext !== null ? ext[name] : undefined;
}

function isRewardedVideo(video: unknown): boolean {
  const ext = (video as { ext?: { rewarded?: unknown } } | undefined)?.ext;
  return Number(ext?.rewarded) === 1;
}

function unwrap(request: Fields | null): unknown {
  return request?.['native'] ?? request;
}

function readAs(field: protobuf.Field, value: unknown): unknown {
  if (field.resolvedType instanceof protobuf.Type) return fieldsOf(field.resolvedType, value);
  switch (field.type) {
    case 'string':
      return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
    case 'bool':
      return boolOf(field.name, value);
    default: {
      const number = typeof value === 'string' || typeof value === 'number' ? Number(value) : Number.NaN;
      if (!Number.isFinite(number)) return undefined;
      return field.type === 'int32' ? Math.trunc(number) : number;
    }
  }
}
