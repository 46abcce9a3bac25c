import { createHmac } from 'node:crypto';
import { oldestPepper } from '../../proto/pepper.ts';
import type { Keyring } from '../events/keyring.ts';
import type { QuarantineRow } from '../events/rows.ts';
import type { Fault } from '../problem.ts';
import { originalOf, redact, redactPointer, valueAt } from './redact.ts';

/** A row that was refused, and where it came from. */
export interface Refused {
  readonly source: string;
  /** Id of the import, '' for what was streamed. */
  readonly import: string;
  readonly type: string;
  /** From 1. */
  readonly line: number;
  /** As received: it only serves to name the row. */
  readonly text: string;
  /** As parsed, or undefined where it is not readable: then nothing of it is kept. */
  readonly value: unknown;
  readonly faults: readonly Fault[];
}

const MAX_TYPE = 64;
const NOT_KEPT: ReadonlySet<string> = new Set(['/identifiers', '/privacy']);

/**
 * What quarantine keeps of it. The id comes from source, import, line and content, so a repetition is the same row; it is keyed,
 * since a plain hash of a row that holds a phone could be guessed back.
 */
export function quarantineRow(refused: Refused, keyring: Keyring, pepper: string, now: number): QuarantineRow {
  const [first] = refused.faults;
  // Of whom nothing may be stored, nothing is, here neither.
  const isRefused = refused.faults.some(({ code, pointer }) => code === 'consent_missing' && NOT_KEPT.has(pointer));
  // Tried again without its consent strings, which are not kept, a row would be taken whatever they say.
  const names = typeof refused.value === 'object' && refused.value !== null ? Object.keys(refused.value) : [];
  const isBound = names.some((name) => name === 'privacy' || name.startsWith('privacy.'));
  const readable = refused.value !== undefined && !isRefused && !isBound;
  const redacted = readable ? redact(refused.value, keyring) : null;
  return {
    id: idOf(refused, pepper),
    at: new Date(now).toISOString(),
    source: refused.source,
    import: refused.import,
    type: refused.type.slice(0, MAX_TYPE),
    line: refused.line,
    pointer: wellFormed(redactPointer(first?.pointer ?? '')),
    value: wellFormed(readable ? valueAt(redacted, first?.pointer ?? '') : ''),
    code: first?.code ?? 'internal',
    message: wellFormed(refused.faults.map((fault) => `${redactPointer(fault.pointer)} ${fault.message}`.trim()).join('; ')),
    original: wellFormed(readable ? originalOf(redacted) : ''),
  };
}

function idOf(refused: Refused, pepper: string): string {
  return createHmac('sha256', oldestPepper(pepper))
    .update(`${refused.source}\n${refused.import}\n${refused.line}\n`)
    .update(refused.text)
    .digest('hex')
    .slice(0, 32);
}

/** ClickHouse refuses half a surrogate pair. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}
