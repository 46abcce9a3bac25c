import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import protobuf from 'protobufjs';
import { expect, it } from 'vitest';

/** The tool's table of field numbers is nobody's copy of the bidder's: both are held to each other, and to the shared one. */

interface Message {
  readonly fields: Record<string, { readonly type: string; readonly id: number; readonly rule?: string }>;
  readonly nested?: Record<string, Message>;
}

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const { nested } = JSON.parse(read('load-tests/conformance/openrtb-fields.json')) as { nested: Record<string, Message> };
const SHARED = resolve(process.env['WALKIN_SHARED'] ?? '../shared', 'data/openrtb/protobuf-fields.csv');

/** "BidRequest.Imp.id 1 string" */
function rowsOf(messages: Record<string, Message>, prefix = ''): string[] {
  return Object.entries(messages).flatMap(([name, message]) => [
    ...Object.entries(message.fields).map(
      ([field, { id, type, rule }]) => `${prefix}${name}.${field} ${id} ${type} ${rule ?? ''}`,
    ),
    ...rowsOf(message.nested ?? {}, `${prefix}${name}.`),
  ]);
}

it('has the numbers of the shared table', ({ skip }) => {
  if (!existsSync(SHARED)) skip(`there is no ${SHARED}`);
  const rows = readFileSync(SHARED, 'utf8').trim().split('\n').slice(1);
  const expected = rows.map((row) => {
    const [message, field, number, type, label] = row.split(',');
    return `${message}.${field} ${number} ${type} ${label === 'repeated' ? 'repeated' : ''}`;
  });
  expect(rowsOf(nested).sort()).toEqual(expected.sort());
});

it('agrees with the .proto of the bidder wherever that has a field', () => {
  const own = new Map(rowsOf(nested).map((row) => [row.split(' ')[0] as string, Number(row.split(' ')[1])]));
  const { root } = protobuf.parse(read('proto/openrtb.proto'), { keepCase: true });
  const wrong: string[] = [];
  let compared = 0;
  const visit = (holder: protobuf.NamespaceBase, prefix: string): void => {
    for (const message of holder.nestedArray) {
      if (!(message instanceof protobuf.Namespace)) continue;
      const name = message instanceof protobuf.Type ? `${prefix}${message.name}.` : prefix;
      for (const field of message instanceof protobuf.Type ? message.fieldsArray : []) {
        const id = own.get(`${name}${field.name}`);
        if (id === undefined) continue;
        compared++;
        if (id !== field.id) wrong.push(`${name}${field.name}: ${field.id}, not ${id}`);
      }
      visit(message, name);
    }
  };
  visit(root, '');
  expect(wrong).toEqual([]);
  expect(compared).toBeGreaterThan(150);
});
