import { isUtf8 } from 'node:buffer';
import { type Fault, Problem } from '../problem.ts';
import { quarantineRow } from '../quarantine/row.ts';
import { acceptEvent } from './accept.ts';
import type { Batcher } from './batch.ts';
import { linesOf } from './body.ts';
import { EVENT_TYPES } from './event.ts';
import type { ConsentRow, Tables } from './rows.ts';
import { createSlices } from './slices.ts';
import { emptyTables, rowCount } from './tables.ts';
import type { Terms } from './terms.ts';

/** The answer to a call with events, given when all of them are durable. */
export interface Taken {
  accepted: number;
  quarantined: number;
  errors: ({ line: number } & Fault)[];
}

const MAX_ERRORS = 100;
/** Rows handed to the batcher at once: ClickHouse writes them while the next are read. */
const CHUNK_ROWS = 10_000;
/** Chunks of one call that may wait to be written. */
const CHUNKS = 4;
/** Rows between two looks at how many wait: the same call is always written in the same chunks, so that one that is sent again changes nothing. */
const TURN = 1_000;

interface Row {
  readonly line: number;
  readonly text: string;
  readonly value: unknown;
  readonly faults: readonly Fault[] | null;
}

/**
 * Takes every event of a body. A wrong one goes to quarantine and does not stop the others.
 *
 * @param hasWords consent strings are among them, so that pings that bring none wait for what those say of their people
 */
export async function takeEvents(
  rows: Iterable<Row>,
  terms: Terms,
  pepper: string,
  batcher: Batcher,
  hasWords = false,
): Promise<Taken> {
  const taken: Taken = { accepted: 0, quarantined: 0, errors: [] };
  let tables = emptyTables();
  const writing: Promise<void>[] = [];
  let turn = 0;
  const slices = createSlices();
  const heard: ConsentRow[] = [];
  const waiting: Row[] = [];
  const takeAll = async (some: Iterable<Row>, under: Terms, wait: boolean): Promise<void> => {
    for (const row of some) {
      if (wait && isWordlessPing(row.value)) waiting.push(row);
      else {
        const words = tables.consents.length;
        takeRow(row, under, pepper, tables, taken);
        if (tables.consents.length > words) heard.push(...tables.consents.slice(words).filter(isOnPlace));
      }
      if (slices.step()) await slices.next();
      if (++turn % TURN !== 0 || rowCount(tables) < CHUNK_ROWS) continue;
      if (writing.length === CHUNKS) await writing.shift();
      const written = batcher.add(tables);
      // The fault is met where it is awaited.
      written.catch(() => undefined);
      writing.push(written);
      tables = emptyTables();
    }
  };
  await takeAll(rows, terms, hasWords);
  await takeAll(waiting, { ...terms, placeless: afterWords(terms.placeless, heard) }, false);
  taken.errors.sort((a, b) => a.line - b.line);
  await Promise.all([...writing, batcher.add(tables)]);
  return taken;
}

function isWordlessPing(value: unknown): boolean {
  const { type, privacy } = (value ?? {}) as { type?: unknown; privacy?: unknown };
  return type === 'ping' && privacy === undefined;
}

function isOnPlace({ purpose, advertiser }: ConsentRow): boolean {
  return purpose === 'location' && advertiser === '';
}

/** Those whose place may not be used when these words were said too: of each the newest counts, and of two at once the refusal. */
function afterWords(placeless: ReadonlySet<string> | undefined, words: readonly ConsentRow[]): ReadonlySet<string> | undefined {
  if (words.length === 0) return placeless;
  const newest = new Map<string, ConsentRow>();
  for (const word of words) {
    const before = newest.get(word.identifier);
    if (before === undefined || word.at > before.at || (word.at === before.at && word.granted === 0))
      newest.set(word.identifier, word);
  }
  // What was granted here may have been withdrawn later by other means: only refusals are sure before all words are put together.
  const refused = [...newest.values()].filter(({ granted }) => granted === 0).map(({ identifier }) => identifier);
  return new Set([...(placeless ?? []), ...refused]);
}

function takeRow(row: Row, terms: Terms, pepper: string, tables: Tables, taken: Taken): void {
  const faults = row.faults ?? acceptEvent(row.value, terms, tables);
  if (faults === null) {
    taken.accepted++;
    return;
  }
  taken.quarantined++;
  for (const fault of faults) if (taken.errors.length < MAX_ERRORS) taken.errors.push({ line: row.line, ...fault });
  const refused = {
    source: terms.source,
    import: '',
    type: typeOf(row.value),
    line: row.line,
    text: row.text,
    value: row.value,
    faults,
  };
  tables.quarantine.push(quarantineRow(refused, terms.keyring, pepper, terms.now));
}

/** The rows of an NDJSON body, in order. */
export function* ndjsonRows(body: Buffer): Generator<Row> {
  for (const { line, text } of linesOf(body)) yield parseLine(line, text);
}

export function parseLine(line: number, text: string | null): Row {
  if (text === null) {
    const fault: Fault = { pointer: '', code: 'bad_encoding', message: 'the line is not UTF-8' };
    return { line, text: '', value: undefined, faults: [fault] };
  }
  try {
    return { line, text, value: JSON.parse(text), faults: null };
  } catch {
    const fault: Fault = { pointer: '', code: 'not_json', message: 'the line is not readable as JSON' };
    return { line, text, value: undefined, faults: [fault] };
  }
}

/** The rows of a JSON body: one event, an array, or `{events: […]}`; a row's line is its place from 1. */
export function jsonRows(body: Buffer): Iterable<Row> {
  if (!isUtf8(body)) throw new Problem(400, 'bad_encoding', 'The body is not UTF-8');
  return placed(eventsOf(parseBody(body)));
}

function parseBody(body: Buffer): unknown {
  if (body.length === 0) throw new Problem(400, 'empty_body', 'The route needs a body and none was sent');
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new Problem(400, 'not_json', 'The body is not readable as JSON');
  }
}

function eventsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const events = typeof value === 'object' && value !== null ? (value as { events?: unknown }).events : undefined;
  return Array.isArray(events) ? events : [value];
}

function* placed(events: readonly unknown[]): Generator<Row> {
  for (let i = 0; i < events.length; i++) {
    const value = events[i];
    yield {
      line: i + 1,
      // Only a refused row's text is looked at.
      get text() {
        return textOf(value);
      },
      value,
      faults: null,
    };
  }
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    // Nested too deeply to be written; its line names it.
    return '';
  }
}

/** The type that a row says it has, where that is one of ours: a column of quarantine with few values. */
export function typeOf(value: unknown): string {
  const type = typeof value === 'object' && value !== null ? (value as { type?: unknown }).type : undefined;
  return typeof type === 'string' && (EVENT_TYPES as readonly string[]).includes(type) ? type : '';
}
