import type { WireResponse } from '../../proto/openrtb.ts';
import type { DecodeNotes, Format } from './decode.ts';
import { encodeResponseMessage } from './protobuf.ts';

/** The response as bytes, in the format of its request. */
export function writeResponse(response: WireResponse, format: Format, { nativeMessages }: DecodeNotes): Buffer {
  return format === 'json' ? Buffer.from(JSON.stringify(response)) : encodeResponseMessage(response, nativeMessages);
}
