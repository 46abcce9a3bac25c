import type { LiveExchange } from '../../proto/snapshot.ts';
import type { Format } from './decode.ts';

const PROTOBUF = /^application\/(x-|vnd\.google\.)?(x-)?protobuf\b/;
const JSON_TYPE = /^(application\/([\w.-]+\+)?json|text\/)/;

/** How the body is written: by its type, else as the exchange says (`application/octet-stream`, none, any other). */
export function formatOf(contentType: string | undefined, exchange: Pick<LiveExchange, 'format'>): Format {
  // As nearly all write it.
  if (contentType === CONTENT_TYPES.json) return 'json';
  const type = contentType?.trim().toLowerCase() ?? '';
  if (PROTOBUF.test(type)) return 'protobuf';
  return JSON_TYPE.test(type) ? 'json' : exchange.format;
}

export const CONTENT_TYPES: Readonly<Record<Format, string>> = { json: 'application/json', protobuf: 'application/x-protobuf' };
