import { isIdentifierKind } from '../events/keyring.ts';
import type { Terms } from '../events/terms.ts';
import { secondsOf } from '../events/text-rows.ts';
import { AHEAD_MS, EARLIEST } from '../events/time.ts';
import { allows } from '../sources/access.ts';
import { compileField, type Field, type Pick, type Reading, type Records } from './columns.ts';
import { PRIVACY, targetOf } from './targets.ts';

/** A receipt line as tab-separated text without when it came in, and whose it is. */
export interface TakenLine {
  readonly text: string;
  /** Under the current pepper; the text has what lasts. */
  readonly identifier: string;
  readonly kind: string;
  /** Epoch ms. */
  readonly at: number;
}

const TEXTS = ['id', 'line', 'store', 'product', 'category', 'department', 'brand', 'currency'] as const;
/** What tab-separated text escapes, half pairs, and what decoding could not read. */
const SPECIAL = /[\\\t\n\r\0\b\f\ud800-\udfff\ufffd]/;
const QUANTITY = /^-?\d{1,9}(?:\.\d{1,3})?$/;
const CURRENCY = /^[A-Z]{3}$/;

/**
 * The short way of a row of receipts: what is plain becomes text at once, 4 µs a row against 14 by way of an event. It returns
 * null for whatever is not plain, wrong rows too: those go the long way, which says what is wrong with them. Null where the
 * mapping as a whole is not plain. Both ways give the same rows; test/imports/lines.test.ts.
 */
export function compileLines(
  reading: Reading,
  records: Records<readonly string[]>,
  terms: Terms,
): ((cells: readonly string[]) => TakenLine | null) | null {
  const { type, mapping } = reading.input;
  const who = mapping?.identifiers ?? [];
  const [identifier] = who;
  if (type !== 'purchase' || mapping === undefined || identifier === undefined || who.length !== 1) return null;
  if (identifier.os !== undefined) return null;
  if (mapping.sign !== undefined || mapping.delete !== undefined || mapping.only !== undefined || mapping.anonymous === true)
    return null;
  if (Object.keys(mapping.columns).some((name) => name.startsWith(PRIVACY) || name === 'confidence')) return null;
  const { kind, prefix = '', column } = identifier;
  // E-mails and phones are joined to their hashes too.
  if (!isIdentifierKind(kind) || kind === 'email' || kind === 'phone') return null;
  if (allows(terms.contract, { kind: 'purchase', identifierKinds: [kind] }) !== null) return null;
  const field = (name: string): Field<readonly string[]> | null => {
    const source = mapping.columns[name];
    const target = targetOf('purchase', name);
    return source === undefined || target === undefined ? null : compileField(name, target, source, records, reading);
  };
  const fields = Object.fromEntries(TEXTS.map((name) => [name, field(name)])) as Record<
    (typeof TEXTS)[number],
    Field<readonly string[]> | null
  >;
  const amount = field('amount');
  const at = field('at');
  const quantity = field('quantity');
  if (amount === null || at === null || fields.id === null) return null;
  if (Object.values({ ...fields, quantity }).some((one) => one?.rule.values !== undefined || one?.rule.decimal !== undefined))
    return null;
  if (amount.rule.values !== undefined || at.rule.values !== undefined) return null;
  const id = fields.id.pick;
  const none: Pick<readonly string[]> = () => '';
  const [line, store, product] = [fields.line?.pick ?? none, fields.store?.pick ?? none, fields.product?.pick ?? none];
  const [category, department, brand] = [
    fields.category?.pick ?? none,
    fields.department?.pick ?? none,
    fields.brand?.pick ?? none,
  ];
  const currency = fields.currency?.pick ?? none;
  const pickWho = records.pick(column);
  const readTime = compileTime(at);
  const latest = terms.now + AHEAD_MS;
  const { source, keyring } = terms;
  const isPlain = (text: string): boolean => text.length <= 128 && !SPECIAL.test(text);
  return (cells) => {
    const time = readTime(at.pick(cells, []));
    if (time === null || time < EARLIEST || time > latest) return null;
    const micros = amount.read(amount.pick(cells, []));
    if (typeof micros !== 'number') return null;
    const units = quantity === null ? '1' : quantity.pick(cells, []) || '1';
    if (!QUANTITY.test(units)) return null;
    const receipt = id(cells, []);
    const item = product(cells, []);
    const name = line(cells, []) || item || '1';
    const shop = store(cells, []);
    if (receipt === '' || !isPlain(receipt) || !isPlain(item) || !isPlain(name) || !isPlain(shop)) return null;
    const wares = `${category(cells, [])}\u0001${department(cells, [])}\u0001${brand(cells, [])}`;
    if (wares.length > 2 && !isPlain(wares)) return null;
    const money = currency(cells, []) || terms.currency;
    if (!CURRENCY.test(money)) return null;
    const person = pickWho(cells, []);
    const key = person === '' ? null : keyring.keyOf(kind, prefix + person);
    if (key === null || terms.refused?.has(key) === true) return null;
    if (keyring.olderOf(key).some((older) => terms.refused?.has(older))) return null;
    const text = `${source}\t${receipt}\t${name}\t${secondsOf(time)}\t${keyring.lastingOf(key)}\t${shop}\t${item}\t${wares.replaceAll('\u0001', '\t')}\t${units}\t${micros}\t${money}\t0`;
    return { text, identifier: key, kind, at: time };
  };
}

/** Days that were read before, since a file names the same ones again and again. */
function compileTime(field: Field<readonly string[]>): (text: string) => number | null {
  const days = new Map<string, number | null>();
  const slow = (text: string): number | null => {
    const time = text === '' ? undefined : field.read(text);
    return typeof time === 'number' ? time : null;
  };
  if (field.rule.time !== undefined) return slow;
  return (text) => {
    if (text.length !== 20 || text.charCodeAt(19) !== 0x5a || text.charCodeAt(10) !== 0x54) return slow(text);
    if (text.charCodeAt(13) !== 0x3a || text.charCodeAt(16) !== 0x3a) return slow(text);
    const day = text.slice(0, 10);
    let begin = days.get(day);
    if (begin === undefined) {
      begin = slow(`${day}T00:00:00Z`);
      if (days.size > 100_000) days.clear();
      days.set(day, begin);
    }
    const hour = two(text, 11);
    const minute = two(text, 14);
    const second = two(text, 17);
    if (begin === null || !(hour < 24 && minute < 60 && second < 60)) return slow(text);
    return begin + ((hour * 60 + minute) * 60 + second) * 1000;
  };
}

/** Two digits as a number, NaN where they are none. */
function two(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}
