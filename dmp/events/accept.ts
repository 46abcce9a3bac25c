import { createHash } from 'node:crypto';
import { Compile } from 'typebox/compile';
import { cellOf, cellToUInt64 } from '../../proto/fence.ts';
import { macOf } from '../../proto/mac.ts';
import { signalOf } from '../../proto/signal.ts';
import { saidBy } from '../consents/strings.ts';
import type { Fault } from '../problem.ts';
import { isPersonalAttribute } from '../quarantine/redact.ts';
import { allows } from '../sources/access.ts';
import { bridge, nameBridge } from './bridge.ts';
import {
  type Action,
  EVENT_SCHEMAS,
  type Event,
  type EventType,
  type Identify,
  type Page,
  type Ping,
  type Purchase,
  type Redemption,
} from './event.ts';
import { shapeFaults } from './faults.ts';
import { type KeyedIdentifier, type Keyring, keyAll } from './keyring.ts';
import type { Tables } from './rows.ts';
import type { Terms } from './terms.ts';
import { AHEAD_MS, EARLIEST, parseRfc3339 } from './time.ts';
import { wordsOf } from './words.ts';

/** Who an event is about, and when it was. */
interface Fact {
  readonly source: string;
  readonly identifier: string;
  readonly at: string;
}

// Compiled to JavaScript: 0.15 µs an event.
const CHECKS = {
  purchase: Compile(EVENT_SCHEMAS.purchase),
  ping: Compile(EVENT_SCHEMAS.ping),
  identify: Compile(EVENT_SCHEMAS.identify),
  page: Compile(EVENT_SCHEMAS.page),
  redemption: Compile(EVENT_SCHEMAS.redemption),
  action: Compile(EVENT_SCHEMAS.action),
} as const;

/**
 * Takes one event as it was sent: its rows are added to `tables` (nothing else changes), or it is wrong and all its faults are
 * returned. Synchronous and without a clock, so the same event always gives the same rows.
 */
export function acceptEvent(raw: unknown, terms: Terms, tables: Tables): Fault[] | null {
  const type = typeOf(raw);
  if (type === null) return [untyped(raw)];
  const check = CHECKS[type];
  if (!check.Check(raw)) return shapeFaults(check.Errors(raw));
  const event = raw as Event;
  const faults: Fault[] = [];
  if (terms.contract !== undefined)
    faults.push(...(allows(terms.contract, { kind: type, identifierKinds: event.identifiers.map(({ kind }) => kind) }) ?? []));
  const at = timeOf(event.at, terms.now);
  if (at === null)
    faults.push(fault('/at', 'bad_time', 'is not an RFC 3339 time or epoch milliseconds from 2000 to a day ahead'));
  const who = keyAll(event.identifiers, terms.keyring);
  const [first] = who.length === 0 ? somebodyUnknown(event, terms) : who;
  if (first === undefined) faults.push(nobody(event));
  if (isAmong(who, terms.refused, terms))
    faults.push(fault('/identifiers', 'consent_missing', 'nothing of this person may be stored'));
  else faults.push(...hear(event, who, at ?? terms.now, terms, tables));
  // A TCF string of its own is the newer word.
  if (event.type === 'ping' && event.privacy?.tcf === undefined && isAmong(who, terms.placeless, terms))
    faults.push(fault('/identifiers', 'consent_missing', 'this person does not let us use their location'));
  // What is wrong with the rest is said in the same answer: rows are made of a stand-in and dropped.
  const identifier = first === undefined ? '' : terms.keyring.lastingOf(first.key);
  const fact = { source: terms.source, identifier, at: new Date(at ?? 0).toISOString() };
  const spare = faults.length === 0 ? tables : null;
  faults.push(...addRows(event, fact, terms, spare));
  if (faults.length > 0) return faults;
  addEdges(who, fact, terms.keyring, tables, event.confidence ?? 1);
  return null;
}

/** They may have refused, or been erased, while another pepper was the current one. */
function isAmong(who: readonly KeyedIdentifier[], keys: ReadonlySet<string> | undefined, { keyring }: Terms): boolean {
  if (keys === undefined || keys.size === 0) return false;
  return who.some(({ key }) => keys.has(key) || keyring.olderOf(key).some((older) => keys.has(older)));
}

/** Writes down what the event's consent strings say, and what they forbid of the event itself. */
function hear(event: Event, who: readonly KeyedIdentifier[], at: number, terms: Terms, tables: Tables): Fault[] {
  if (event.privacy === undefined) return [];
  const said = saidBy(event.privacy, terms.vendor ?? 0);
  // A word counts also where the event is refused for it, or for anything else.
  const every = [...who, ...who.flatMap(({ kind, key }) => terms.keyring.olderOf(key).map((older) => ({ kind, key: older })))];
  for (const word of wordsOf(said, every, at, terms)) tables.consents.push(word);
  if (said.unaddressed) return [fault('/privacy', 'no_vendor_id', 'there is no WALKIN_TCF_VENDOR_ID to read the TCF string for')];
  if (said.withheld) return [fault('/privacy', 'consent_missing', 'the consent strings do not let us store it')];
  if (said.placeless && event.type === 'ping')
    return [fault('/privacy', 'consent_missing', 'the consent strings do not let us use this location')];
  return [];
}

/** Phones make up MAC addresses: these are told apart, since of a probe's most are such, and nothing is wrong with them. */
function nobody({ identifiers }: Event): Fault {
  const isRandomised = identifiers.some(({ kind, value }) => kind === 'mac' && macOf(value.trim()).kind === 'randomised');
  return isRandomised
    ? fault('/identifiers', 'mac_randomised', 'the MAC address was made up by the device')
    : fault('/identifiers', 'no_identifier', 'none of them names anybody');
}

/** A till knows few of its buyers, but all of its sales: such a receipt is a person's of whom nothing else is known. */
function somebodyUnknown(event: Event, terms: Terms): Pick<KeyedIdentifier, 'key'>[] {
  const isTaken = terms.anonymous === true && event.type === 'purchase' && event.identifiers.length === 0;
  return isTaken ? [{ key: terms.keyring.unknownBuyer(terms.source, event.id) }] : [];
}

function typeOf(raw: unknown): EventType | null {
  const type = typeof raw === 'object' && raw !== null ? (raw as { type?: unknown }).type : undefined;
  return typeof type === 'string' && Object.hasOwn(CHECKS, type) ? (type as EventType) : null;
}

function untyped(raw: unknown): Fault {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return fault('', 'type', 'an event is an object');
  if (!Object.hasOwn(raw, 'type')) return fault('/type', 'required', 'is missing');
  return fault('/type', 'unknown_event', 'is none of purchase, ping, identify, page, redemption, action');
}

function timeOf(at: string | number, now: number): number | null {
  const time = typeof at === 'number' ? at : parseRfc3339(at);
  return time !== null && time >= EARLIEST && time <= now + AHEAD_MS ? time : null;
}

/** The event's rows go to `tables`, unless it is null or a fault is found. */
function addRows(event: Event, fact: Fact, terms: Terms, tables: Tables | null): Fault[] {
  switch (event.type) {
    case 'ping':
      return addPing(event, fact, tables);
    case 'purchase':
      return addPurchase(event, fact, terms.currency, tables);
    case 'identify':
      return addAttributes(event, fact, tables);
    case 'page':
      return addPage(event, fact, tables);
    case 'redemption':
      return addRedemption(event, fact, tables);
    case 'action':
      return addAction(event, fact, tables);
  }
}

function addPing(ping: Ping, fact: Fact, tables: Tables | null): Fault[] {
  if (ping.consent === false) return [fault('/consent', 'consent_missing', 'there is no consent to use this location')];
  const { lat, lon } = ping;
  const signal = signalOf({ lat, lon, type: ping.locationType ?? 1, accuracy: ping.accuracy ?? null, lastfix: null });
  if (signal === null) {
    return lat === lon && Math.abs(lat) >= 0.01
      ? [fault('/lat', 'lat_equals_lon', 'latitude and longitude are the same number')]
      : [fault('/lat', 'null_island', 'the place is at or near (0, 0)')];
  }
  tables?.pings.push({
    source: fact.source,
    identifier: fact.identifier,
    at: fact.at,
    lat,
    lon,
    error: signal.error,
    class: signal.class,
    cell: cellToUInt64(cellOf(lat, lon)),
  });
  return [];
}

function addPurchase(purchase: Purchase, fact: Fact, currency: string, tables: Tables | null): Fault[] {
  const faults = textFaults({ id: purchase.id, store: purchase.store }, '');
  const lines = new Set<string>();
  const rows = purchase.lines.map((line, index) => {
    const { product, category, department, brand } = line;
    const name = String(line.line ?? index + 1);
    if (lines.has(name)) faults.push(fault(`/lines/${index}/line`, 'duplicate', 'the receipt has this line already'));
    lines.add(name);
    faults.push(...textFaults({ line: name, product, category, department, brand }, `/lines/${index}`));
    return {
      source: fact.source,
      receipt: purchase.id,
      line: name,
      at: fact.at,
      identifier: fact.identifier,
      store: purchase.store ?? '',
      product: product ?? '',
      category: category ?? '',
      department: department ?? '',
      brand: brand ?? '',
      quantity: (line.quantity ?? 1).toFixed(3),
      amount: line.amountMicros,
      currency: purchase.currency ?? currency,
      deleted: 0 as const,
    };
  });
  if (faults.length === 0 && tables !== null) for (const row of rows) tables.purchases.push(row);
  return faults;
}

function addAttributes(identify: Identify, fact: Fact, tables: Tables | null): Fault[] {
  const faults: Fault[] = [];
  const entries = Object.entries(identify.attributes ?? {});
  for (const [name, value] of entries) {
    const pointer = `/attributes/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (isPersonalAttribute(name, value)) {
      faults.push(fault(pointer, 'personal_attribute', 'belongs in identifiers'));
    } else if (name === '' || name.length > 128 || !isText(name) || (typeof value === 'string' && !isText(value))) {
      faults.push(fault(pointer, 'bad_encoding', 'is not a readable text'));
    } else if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
      faults.push(fault(pointer, 'bad_number', 'is beyond 2^53 and has lost digits: it must be a text'));
    }
  }
  if (faults.length > 0 || tables === null) return faults;
  for (const [name, value] of entries) {
    tables.attributes.push({
      source: fact.source,
      identifier: fact.identifier,
      name,
      text: String(value),
      number: numberOf(value),
      at: fact.at,
    });
  }
  return faults;
}

const DECIMAL = /^-?\d{1,15}(\.\d{1,15})?$/;

function numberOf(value: string | number | boolean): number | null {
  if (typeof value === 'string') return DECIMAL.test(value) ? Number(value) : null;
  return Number(value);
}

function addPage(page: Page, fact: Fact, tables: Tables | null): Fault[] {
  const faults = textFaults({ id: page.id, url: page.url, title: page.title }, '');
  if (faults.length > 0 || tables === null) return faults;
  const id = page.id ?? contentId(fact, page.url);
  tables.pages.push({ ...fact, id, url: page.url, title: page.title ?? '' });
  return faults;
}

function addRedemption(redemption: Redemption, fact: Fact, tables: Tables | null): Fault[] {
  const { coupon, promotion } = redemption;
  const faults = textFaults({ id: redemption.id, coupon, promotion }, '');
  if (faults.length > 0 || tables === null) return faults;
  const id = redemption.id ?? contentId(fact, `${coupon}\n${promotion ?? ''}`);
  tables.redemptions.push({ ...fact, id, coupon, promotion: promotion ?? '' });
  return faults;
}

function addAction(action: Action, fact: Fact, tables: Tables | null): Fault[] {
  const { name, store = '', item = '', value = '' } = action;
  const faults = textFaults({ id: action.id, name, store, item, value }, '');
  for (const [member, text] of Object.entries({ item, value })) {
    if (isPersonalAttribute(member, text)) faults.push(fault(`/${member}`, 'personal_attribute', 'belongs in identifiers'));
  }
  if (faults.length > 0 || tables === null) return faults;
  const id = action.id ?? contentId(fact, `${name}\n${store}\n${item}\n${value}`);
  tables.actions.push({ ...fact, id, name, store, item, value });
  return faults;
}

/** The id of an event that was sent without: the same content is the same event. */
function contentId(fact: Fact, content: string): string {
  return createHash('sha256').update(`${fact.identifier}\n${fact.at}\n${content}`).digest('hex').slice(0, 32);
}

/** Every identifier is joined to the fact's; one alone to itself; an e-mail or phone to its hashes. */
function addEdges(who: readonly KeyedIdentifier[], fact: Fact, keyring: Keyring, tables: Tables, confidence: number): void {
  const [first] = who;
  if (first === undefined) return;
  for (const { kind, key } of who) addBridges(key, kind, fact, keyring, tables);
  addNameBridge(first.key, first.kind, fact, keyring, tables);
  for (const { key } of who) for (const value of keyring.takeSealed(key)) tables.sealed.push({ ...value, source: fact.source });
  for (const { kind, key } of who)
    for (const hash of keyring.hashesOf(key)) {
      const edge = { a: key, kind_a: kind, b: hash.key, kind_b: hash.kind };
      // That an e-mail has this hash is sure.
      tables.edges.push({ ...edge, source: fact.source, first_seen: fact.at, confidence: 1 });
      addBridges(hash.key, hash.kind, fact, keyring, tables);
    }
  for (const other of who.length === 1 ? who : who.slice(1)) {
    tables.edges.push({
      a: first.key,
      kind_a: first.kind,
      b: other.key,
      kind_b: other.kind,
      source: fact.source,
      first_seen: fact.at,
      confidence: other === first ? 1 : confidence,
    });
  }
}

/** What the fact names the person by, where that is under a pepper of the holder's own, leads to whom others meet. */
function addNameBridge(key: string, kind: string, fact: Fact, keyring: Keyring, tables: Tables): void {
  const { identifier, at } = fact;
  if (identifier !== key && !keyring.olderOf(key).includes(identifier)) tables.edges.push(nameBridge(key, identifier, kind, at));
}

/** An identifier under the current pepper is the same one as under those before. */
function addBridges(key: string, kind: string, fact: Fact, keyring: Keyring, tables: Tables): void {
  for (const older of keyring.olderOf(key)) tables.edges.push(bridge(key, older, kind, fact.at));
}

function textFaults(texts: Readonly<Record<string, string | undefined>>, parent: string): Fault[] {
  const faults: Fault[] = [];
  for (const name in texts) {
    const text = texts[name];
    if (text !== undefined && !isText(text)) faults.push(fault(`${parent}/${name}`, 'bad_encoding', 'has half a surrogate pair'));
  }
  return faults;
}

const LONE_SURROGATE = /\p{Surrogate}/u;

/** ClickHouse refuses a whole insert for one text with half a surrogate pair. */
function isText(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

function fault(pointer: string, code: Fault['code'], message: string): Fault {
  return { pointer, code, message };
}
