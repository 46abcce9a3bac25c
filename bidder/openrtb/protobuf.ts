import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import type { WireResponse } from '../../proto/openrtb.ts';

/** OpenRTB in protobuf, read and written by `proto/openrtb.proto`. */

const { root } = protobuf.parse(readFileSync(new URL('../../proto/openrtb.proto', import.meta.url), 'utf8'), { keepCase: true });
export const BID_REQUEST = root.lookupType('walkin.openrtb.BidRequest');
const BID_RESPONSE = root.lookupType('walkin.openrtb.BidResponse');
forgetDefaults(root.resolveAll());

type Fields = Record<string, unknown>;

/**
 * A message has its defaults on its prototype: a floor of 0 where none was sent. Without them a decoded message reads as parsed
 * JSON does, and need not be copied into one, which took four times as long as decoding it.
 */
function forgetDefaults(namespace: protobuf.NamespaceBase): void {
  for (const part of namespace.nestedArray) {
    if (part instanceof protobuf.Type) {
      const prototype = part.ctor.prototype as Fields;
      for (const { name } of part.fieldsArray) delete prototype[name];
    }
    if (part instanceof protobuf.Namespace) forgetDefaults(part);
  }
}

/**
 * The request as its JSON would be parsed, only with booleans for 0 and 1; fields that were not sent are absent. A native
 * request that came as a message is the object `native.request`. Undefined where the bytes are no such message.
 */
export function decodeRequestMessage(body: Uint8Array): Fields | undefined {
  try {
    const wire = BID_REQUEST.decode(body) as unknown as Fields;
    for (const imp of (wire['imp'] as Fields[] | undefined) ?? []) liftNative(imp['native'] as Fields | undefined);
    return wire;
  } catch {
    return undefined;
  }
}

function liftNative(native: Fields | undefined): void {
  if (native?.['request_native'] === undefined) return;
  native['request'] = native['request_native'];
  delete native['request_native'];
}

/**
 * `nativeMessages`: whether native markup, which is JSON in `adm`, goes out as the message `adm_native`, as who asked with a
 * message expects. `ext` has no place in a message.
 */
export function encodeResponseMessage(response: WireResponse, nativeMessages: boolean): Buffer {
  const wire = nativeMessages ? withNativeMessages(response) : response;
  return Buffer.from(BID_RESPONSE.encode(BID_RESPONSE.fromObject(wire)).finish());
}

function withNativeMessages(response: WireResponse): Fields {
  const seatbid = response.seatbid.map((seat) => ({
    ...seat,
    bid: seat.bid.map((bid) => {
      if (bid.mtype !== 4) return bid;
      const { adm, ...rest } = bid;
      const markup = JSON.parse(adm) as Fields;
      return { ...rest, adm_native: markup['native'] ?? markup };
    }),
  }));
  return { ...response, seatbid };
}

/** The response in a message, as its JSON would be parsed. Throws where it is none. */
export function decodeResponseMessage(body: Uint8Array): Fields {
  return BID_RESPONSE.toObject(BID_RESPONSE.decode(body), { longs: Number });
}
