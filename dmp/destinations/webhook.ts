import { createHmac } from 'node:crypto';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { Sealer } from '../identity/seal.ts';
import type { Destination } from './destination.ts';
import type { Export } from './exports.ts';
import { codesOf } from './formats.ts';
import { readSent, type Sent } from './sent.ts';

/** People in one message. */
const BATCH = 500;

/** One message: its id stays the same however often it is sent. */
export interface Message {
  readonly id: string;
  /** JSON. */
  readonly body: string;
}

/**
 * Headers of Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec): `v1,` and the HMAC-SHA-256 of id, time and body
 * in base64. Who receives it refuses what is older than some minutes, and an id that it knows.
 *
 * @param secret `whsec_` and the key in base64
 * @param now epoch ms
 */
export function signedMessage({ id, body }: Message, secret: string, now: number): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000));
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

/** What changed, in messages of one segment and at most so many people each; the same ones whenever they are made again. */
export async function* messagesOf(
  warehouse: Warehouse,
  sealer: Sealer,
  destination: Destination,
  record: Export,
): AsyncGenerator<Message & { readonly identifiers: number }> {
  const codes = codesOf(destination.segments);
  const what = record.mode === 'full' ? 'whole' : 'changed';
  for (const { segment, version } of record.segments) {
    let batch = 0;
    const which = { destination: record.destination, segments: [segment], number: record.number, what, by: 'person' } as const;
    for await (const sent of readSent(warehouse, sealer, which)) {
      const people = [...peopleOf(sent).values()];
      for (let from = 0; from < people.length; from += BATCH) {
        const some = people.slice(from, from + BATCH);
        const data = {
          ...{ destination: record.destination, export: record.id, segment, code: codes.get(segment) ?? segment, version },
          entered: some.flatMap(({ entered }) => (entered.length === 0 ? [] : [{ identifiers: entered }])),
          left: some.flatMap(({ left }) => (left.length === 0 ? [] : [{ identifiers: left }])),
        };
        const identifiers = some.reduce((sum, { entered, left }) => sum + entered.length + left.length, 0);
        const body = JSON.stringify({ type: 'segment.changed', timestamp: record.createdAt, data });
        yield { id: `msg_${record.id.slice('exp_'.length)}_${segment}_${batch++}`, body, identifiers };
      }
    }
  }
}

interface Person {
  readonly entered: { readonly kind: string; readonly value: string }[];
  readonly left: { readonly kind: string; readonly value: string }[];
}

function peopleOf(sent: readonly Sent[]): Map<number, Person> {
  const people = new Map<number, Person>();
  for (const { person, kind, op, value } of sent) {
    const known = people.get(person) ?? { entered: [], left: [] };
    people.set(person, known);
    (op === 1 ? known.entered : known.left).push({ kind, value });
  }
  return people;
}
