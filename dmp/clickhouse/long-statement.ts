import { randomUUID } from 'node:crypto';
import type { Statement } from './connection.ts';
import { literalOf, textOf } from './parameter.ts';

/** Of a request's address, as proxies take it. */
const MOST_ADDRESS = 4_096;
/** A server takes no field above 128 KiB, neither in the address nor in a form. */
const MOST_FIELD = 96 * 1024;

export interface FormBody {
  readonly contentType: string;
  readonly body: Buffer;
}

/**
 * A statement whose parameters are too long for an address, as a form: the server joins the pieces of the statement, and a long list
 * is sent in pieces that the statement joins. Null: it fits an address.
 */
export function formOf({ sql, params = {} }: Statement): FormBody | null {
  if (addressLength(params) <= MOST_ADDRESS) return null;
  let joined = sql;
  const fields: [name: string, value: Buffer][] = [];
  for (const [name, value] of Object.entries(params)) {
    const pieces = piecesOf(value);
    if (pieces.length > 1) joined = joinPieces(joined, name, pieces.length);
    for (const [i, piece] of pieces.entries())
      fields.push([`param_${pieces.length > 1 ? pieceName(name, i) : name}`, Buffer.from(piece)]);
  }
  const text = Buffer.from(joined);
  for (let at = 0; at < text.length; at += MOST_FIELD) fields.push(['query', text.subarray(at, at + MOST_FIELD)]);
  const boundary = `walkin-${randomUUID()}`;
  const parts = fields.flatMap(([name, value]) => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
    value,
    Buffer.from('\r\n'),
  ]);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]),
  };
}

const pieceName = (name: string, i: number): string => `${name}__${i}`;

function joinPieces(sql: string, name: string, count: number): string {
  return sql.replaceAll(new RegExp(`\\{\\s*${name}\\s*:\\s*([^}]+)\\}`, 'g'), (_, type: string) => {
    const pieces = Array.from({ length: count }, (_, i) => `{${pieceName(name, i)}:${type}}`);
    return `arrayConcat(${pieces.join(', ')})`;
  });
}

/** Lists in pieces that fit a field each; what is no list is one piece. */
function piecesOf(value: unknown): string[] {
  if (!Array.isArray(value)) return [textOf(value)];
  const pieces: string[] = [];
  let piece: string[] = [];
  let length = 0;
  for (const item of value) {
    const text = literalOf(item);
    const bytes = Buffer.byteLength(text) + 1;
    if (length + bytes > MOST_FIELD && piece.length > 0) {
      pieces.push(`[${piece.join(',')}]`);
      piece = [];
      length = 0;
    }
    piece.push(text);
    length += bytes;
  }
  return [...pieces, `[${piece.join(',')}]`];
}

/** At most as long as the address will be: stops counting where it is too long. */
function addressLength(params: Readonly<Record<string, unknown>>): number {
  let length = 0;
  for (const [name, value] of Object.entries(params)) {
    if (Array.isArray(value) && value.length > MOST_ADDRESS) return Number.POSITIVE_INFINITY;
    length += new URLSearchParams([[name, textOf(value)]]).toString().length;
    if (length > MOST_ADDRESS) return length;
  }
  return length;
}
