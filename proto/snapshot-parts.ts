import { createHash } from 'node:crypto';
import { shapesOf } from './shapes.ts';
import {
  ANY,
  type LiveGeofence,
  type LiveLineItem,
  type LiveList,
  type LiveStore,
  type LiveSupply,
  type Snapshot,
  type Targeting,
} from './snapshot.ts';

/**
 * How a snapshot is published: as a head, under SNAPSHOT_KEY, and parts, in the hash SNAPSHOT_PARTS_KEY, each under the digest of its
 * bytes. A part is a JSON array of things of one kind, so from one snapshot to the next only those parts are new in which something
 * changed: who publishes writes those, and who follows reads those. Each thing has a line of its own, so that it can be taken out as it is.
 *
 * A head is 'WKSN', UInt32 format, UInt32 version (little endian), SHA-256 of what follows, and the JSON of a `SnapshotHead`.
 */
const MAGIC = 'WKSN';
const FORMAT = 2;
const HEADER = 44;

/** What is in parts, and how many things a part holds in the mean. A list is large by itself. */
const KINDS = { stores: 256, geofences: 256, lineItems: 256, lists: 1, supply: 1 } as const;
export type PartKind = keyof typeof KINDS;
const PART_KINDS = Object.keys(KINDS) as PartKind[];
/** A part is never larger than so many times the mean. */
const LONGEST = 4;

export interface PartOf {
  readonly stores: LiveStore;
  readonly geofences: LiveGeofence;
  readonly lineItems: LiveLineItem;
  readonly lists: LiveList;
  readonly supply: LiveSupply;
}

/** What is small of a snapshot, and what its parts are. */
export interface SnapshotHead extends Pick<Snapshot, 'version' | 'at' | 'exchanges' | 'rates'> {
  /** Digests of the parts of each kind, in the order in which their things come. */
  readonly parts: Readonly<Record<PartKind, readonly string[]>>;
  /** How many line items of each advertiser are live. */
  readonly lineItems: Readonly<Record<string, number>>;
}

/** A part by its name in Redis. */
export interface NamedPart {
  readonly kind: PartKind;
  readonly digest: string;
}

export interface SplitSnapshot {
  readonly head: SnapshotHead;
  /** By digest; the same bytes are there once. */
  readonly parts: ReadonlyMap<string, Buffer>;
}

export function splitSnapshot(snapshot: Snapshot): SplitSnapshot {
  for (const steps = splitting(snapshot); ; ) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** The same part by part, for who has others to serve in between. */
export function* splitting(snapshot: Snapshot): Generator<void, SplitSnapshot> {
  const { version, at, exchanges, rates, stores, geofences, lineItems, lists, supply } = snapshot;
  const parts = new Map<string, Buffer>();
  const put = (kind: PartKind, things: readonly unknown[]): string => {
    const bytes = writeThings(things);
    // With its kind: an empty array of one kind is not that of another.
    const digest = digestOf(kind, bytes);
    parts.set(digest, bytes);
    return digest;
  };
  function* paged<Thing extends { readonly id: string }>(
    kind: PartKind,
    things: readonly Thing[],
    written: (thing: Thing) => unknown = (thing) => thing,
  ): Generator<void, string[]> {
    const digests: string[] = [];
    for (const page of pagesOf(things, KINDS[kind])) {
      digests.push(put(kind, page.map(written)));
      yield;
    }
    return digests;
  }
  const head: SnapshotHead = {
    version,
    at,
    exchanges,
    rates,
    parts: {
      stores: yield* paged('stores', stores),
      geofences: yield* paged('geofences', geofences),
      lineItems: yield* paged('lineItems', lineItems, narrowed),
      lists: yield* paged('lists', lists),
      supply: supply === undefined ? [] : [put('supply', [supply])],
    },
    lineItems: countBy(lineItems),
  };
  return { head, parts };
}

/**
 * Pages of things that end where the ids say so, not after a fixed number: a thing that comes or goes changes its own page and none of those
 * that follow.
 */
function pagesOf<Thing extends { readonly id: string }>(things: readonly Thing[], mean: number): Thing[][] {
  const pages: Thing[][] = [];
  let page: Thing[] = [];
  for (const thing of things) {
    page.push(thing);
    if (hashOf(thing.id) % mean !== 0 && page.length < mean * LONGEST) continue;
    pages.push(page);
    page = [];
  }
  if (page.length > 0) pages.push(page);
  return pages;
}

/** FNV-1a, and its upper bits into the lower ones. */
function hashOf(text: string): number {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** JSON has no line breaks of its own: within texts they are escaped. */
function writeThings(things: readonly unknown[]): Buffer {
  return Buffer.from(things.length === 0 ? '[]' : `[\n${things.map((thing) => JSON.stringify(thing)).join(',\n')}\n]`);
}

/** The part that line items are published in. */
export function writeLineItems(lineItems: readonly LiveLineItem[]): Buffer {
  return writeThings(lineItems.map(narrowed));
}

/** What of a line item is read to compile it. Its targeting is written as what it narrows: of thirty dimensions most take anything. */
export interface LineItemHead
  extends Pick<
    LiveLineItem,
    'id' | 'advertiser' | 'bid' | 'start' | 'end' | 'currency' | 'childSafe' | 'caps' | 'holdout' | 'budget'
  > {
  readonly targeting: Partial<Targeting>;
  /** Of its creatives, see `shapes.ts`. */
  readonly shapes: readonly string[];
}

/** A line item as a part has it: its head first, then its creatives, which are most of it, and all else. */
export type WrittenLineItem = LineItemHead & Omit<LiveLineItem, 'targeting'>;

export function targetingOf({ targeting }: Pick<LineItemHead, 'targeting'>): Targeting {
  return { ...ANY, ...targeting };
}

/** Line items of a part that was checked, and where each of them lies in its bytes. */
export interface WrittenPage {
  readonly bytes: Buffer;
  readonly lineItems: readonly LineItemHead[];
  /** Start and end of each, one after the other. Each begins with its id. */
  readonly spans: Uint32Array;
}

export function readLineItems(bytes: Buffer): WrittenPage {
  const page = pageIn(bytes);
  if (page !== null) return page;
  // Published before shapes were, or lines.
  const things = JSON.parse(bytes.toString()) as WrittenLineItem[];
  return pageIn(writeThings(things.map(({ shapes: _, ...thing }) => inOrder(thing, thing.targeting)))) as WrittenPage;
}

/** Null where it is not written in lines, or not in our order. */
function pageIn(bytes: Buffer): WrittenPage | null {
  const spans = linesOf(bytes);
  const lineItems = spans === null ? null : headsIn(bytes, spans);
  return spans === null || lineItems === null ? null : { bytes, lineItems, spans };
}

const [LINE, COMMA, OPEN, CLOSE, END] = [...Buffer.from('\n,[]}')] as [number, number, number, number, number];
const BEGINNING = Buffer.from('{"id":"');
/** Not within a text: there its quotes would be escaped. */
const CREATIVES = Buffer.from(',"creatives":[');

function linesOf(bytes: Buffer): Uint32Array | null {
  const spans: number[] = [];
  for (let start = 2, line = 1; ; start = line + 1) {
    line = bytes.indexOf(LINE, start);
    if (line < 0) break;
    if (!BEGINNING.equals(bytes.subarray(start, start + BEGINNING.length))) return null;
    spans.push(start, bytes[line - 1] === COMMA ? line - 1 : line);
  }
  return bytes[1] === (spans.length === 0 ? CLOSE : LINE) ? Uint32Array.from(spans) : null;
}

let scratch = Buffer.alloc(1 << 19);

/** What is before the creatives of each, put together and parsed at once. Null where something is not there. */
function headsIn(bytes: Buffer, spans: Uint32Array): LineItemHead[] | null {
  if (spans.length === 0) return [];
  if (bytes.length > scratch.length) scratch = Buffer.alloc(2 * bytes.length);
  let length = 0;
  for (let at = 0; at < spans.length; at += 2) {
    const [start, end] = [spans[at] as number, spans[at + 1] as number];
    const cut = bytes.indexOf(CREATIVES, start);
    if (cut < 0 || cut > end) return null;
    scratch[length++] = at === 0 ? OPEN : COMMA;
    length += bytes.copy(scratch, length, start, cut);
    scratch[length++] = END;
  }
  scratch[length++] = CLOSE;
  const heads = JSON.parse(scratch.toString('utf8', 0, length)) as LineItemHead[];
  return heads.every(isWhole) ? heads : null;
}

/** Where its creatives came earlier, as in parts of before, something of it is behind them. */
function isWhole(head: Partial<LineItemHead>): boolean {
  return head.shapes !== undefined && head.targeting !== undefined && head.budget !== undefined;
}

function inOrder(lineItem: Omit<LiveLineItem, 'targeting'>, targeting: Partial<Targeting>): WrittenLineItem {
  const { id, advertiser, bid, start, end, currency, childSafe, caps, holdout, budget, creatives, ...rest } = lineItem;
  const shapes = shapesOf(creatives);
  return {
    id,
    advertiser,
    bid,
    start,
    end,
    currency,
    childSafe,
    caps,
    holdout,
    budget,
    targeting,
    shapes,
    creatives,
    ...rest,
  };
}

function narrowed({ targeting, ...lineItem }: LiveLineItem): WrittenLineItem {
  const written: Record<string, unknown> = {};
  // By a loop: entries, filtered and made an object again, took a third of all that a snapshot took to split.
  for (const name in targeting) {
    const value = targeting[name as keyof typeof targeting];
    if (!isAny(name, value)) written[name] = value;
  }
  return inOrder(lineItem, written);
}

function isAny(name: string, value: unknown): boolean {
  const any = ANY[name as keyof typeof ANY];
  return value === any || (Array.isArray(any) && Array.isArray(value) && value.length === 0);
}

function countBy(lineItems: readonly LiveLineItem[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { advertiser } of lineItems) counts[advertiser] = (counts[advertiser] ?? 0) + 1;
  return counts;
}

export function encodeHead(head: SnapshotHead): Buffer {
  const body = Buffer.from(JSON.stringify(head));
  const header = Buffer.alloc(HEADER);
  header.write(MAGIC, 'latin1');
  header.writeUInt32LE(FORMAT, 4);
  header.writeUInt32LE(head.version, 8);
  createHash('sha256').update(body).digest().copy(header, 12);
  return Buffer.concat([header, body]);
}

/** Throws an Error that says what is broken; the caller keeps the snapshot it has. */
export function decodeHead(value: Buffer): SnapshotHead {
  if (value.length < HEADER || value.toString('latin1', 0, 4) !== MAGIC) throw new Error('snapshot: not a snapshot');
  if (value.readUInt32LE(4) !== FORMAT) throw new Error(`snapshot: format ${value.readUInt32LE(4)} is not ${FORMAT}`);
  const body = value.subarray(HEADER);
  if (!createHash('sha256').update(body).digest().equals(value.subarray(12, HEADER))) throw new Error('snapshot: wrong digest');
  const head = JSON.parse(body.toString()) as SnapshotHead;
  for (const kind of PART_KINDS)
    if (!Array.isArray(head.parts[kind])) throw new Error(`snapshot: its head names no ${NAMES[kind]}`);
  return head;
}

/** The version as a head says it, null where it is none: also of a head that is broken or of another format. */
export function versionIn(value: Buffer): number | null {
  return value.length < 12 || value.toString('latin1', 0, 4) !== MAGIC ? null : value.readUInt32LE(8);
}

/** Throws an Error that says what is wrong with a part, which is null where it was not found. */
export function checkPart({ kind, digest }: NamedPart, bytes: Buffer | null): asserts bytes is Buffer {
  if (bytes === null) throw new Error(`snapshot: a part of its ${NAMES[kind]} is not there`);
  if (digestOf(kind, bytes) !== digest) throw new Error(`snapshot: wrong digest of a part of its ${NAMES[kind]}`);
}

/** The things of a part, which was checked when it was read. */
export function thingsIn<Kind extends PartKind>(kind: Kind, bytes: Buffer): readonly PartOf[Kind][] {
  const things: unknown = JSON.parse(bytes.toString());
  return (kind === 'lineItems' ? (things as WrittenLineItem[]).map(widened) : things) as readonly PartOf[Kind][];
}

/** What kinds are called in errors. */
const NAMES: Readonly<Record<PartKind, string>> = {
  stores: 'stores',
  geofences: 'geofences',
  lineItems: 'line items',
  lists: 'lists',
  supply: 'supply',
};

/** As it was before it was written. */
function widened({ shapes: _, ...lineItem }: WrittenLineItem): LiveLineItem {
  return { ...lineItem, targeting: targetingOf(lineItem) };
}

function digestOf(kind: PartKind, bytes: Buffer): string {
  return createHash('sha256').update(`${kind}\n`).update(bytes).digest('base64url');
}

/** A snapshot without its line items, which are by far the most of it. */
export type Surroundings = Omit<Snapshot, 'lineItems'>;

/** The things of a part by its digest. */
export type ReadPart = <Kind extends PartKind>(kind: Kind, digest: string) => readonly PartOf[Kind][];

export function surroundingsOf({ version, at, exchanges, rates, parts }: SnapshotHead, read: ReadPart): Surroundings {
  const all = <Kind extends PartKind>(kind: Kind): PartOf[Kind][] => parts[kind].flatMap((digest) => read(kind, digest));
  const [supply] = all('supply');
  return {
    version,
    at,
    exchanges,
    rates,
    stores: all('stores'),
    geofences: all('geofences'),
    lists: all('lists'),
    ...(supply === undefined ? {} : { supply }),
  };
}

/** Every part of a head, with its kind. */
export function partsOf({ parts }: SnapshotHead): NamedPart[] {
  return PART_KINDS.flatMap((kind) => parts[kind].map((digest) => ({ kind, digest })));
}
