import type { WireResponse } from '../../proto/openrtb.ts';
import type { DecodeNotes, Format } from './decode.ts';
import { encodeResponseMessage } from './protobuf.ts';

/** The response in the format of its request; JSON as text, since it goes out in one piece with its head. */
export function writeResponse(response: WireResponse, format: Format, { nativeMessages }: DecodeNotes): string | Buffer {
  return format === 'json' ? JSON.stringify(response) : encodeResponseMessage(response, nativeMessages);
}
