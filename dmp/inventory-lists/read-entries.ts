import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type Fault, Problem } from '../problem.ts';

/** A fault of a line of a text. */
export interface LineFault extends Fault {
  /** From 1. */
  readonly line: number;
}

/** Takes the lines one by one: what is wrong with it, or null. */
export interface LineTaker {
  take(text: string, line: number): Omit<Fault, 'pointer'> | null;
}

const MOST_BYTES = 32 * 1024 * 1024;
/** Comments and blank ones among them. */
const MOST_LINES = 1_000_000;
const LONGEST_LINE = 1_000;
const TOLD_FAULTS = 100;

/**
 * Takes a text of one entry a line as it streams in, gzip or not, and returns the first hundred faults. Throws a Problem where the text as
 * a whole cannot be read.
 */
export async function readEntries(body: Readable, encoding: string, entries: LineTaker): Promise<LineFault[]> {
  const faults: LineFault[] = [];
  let line = 0;
  for await (const lines of linesOf(body, encoding)) {
    if (line + lines.length > MOST_LINES) throw tooLarge(`A list may have ${MOST_LINES} lines`);
    for (const text of lines) {
      line++;
      if (faults.length === TOLD_FAULTS) continue;
      const fault = text.length > LONGEST_LINE ? TOO_LONG : entries.take(text, line);
      if (fault !== null) faults.push({ pointer: '', line, ...fault });
    }
  }
  return faults;
}

const TOO_LONG = { code: 'line_too_large', message: `is longer than ${LONGEST_LINE} characters` } as const;

/** The lines of each piece that comes. Of a line that is too long only as much is kept as tells so. */
async function* linesOf(body: Readable, encoding: string): AsyncGenerator<string[]> {
  let rest = '';
  for await (const text of textOf(inflated(body, encoding))) {
    const lines = text.split('\n');
    lines[0] = rest + lines[0];
    rest = (lines.pop() as string).slice(0, LONGEST_LINE + 1);
    yield lines;
  }
  if (rest !== '') yield [rest];
}

async function* textOf(stream: Readable): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let bytes = 0;
  try {
    // An early end leaves the stream undestroyed, since its connection is to carry the answer.
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length;
      if (bytes > MOST_BYTES) throw tooLarge(`A list may have ${MOST_BYTES} bytes`);
      yield decoder.decode(chunk as Buffer, { stream: true });
    }
    yield decoder.decode();
  } catch (error) {
    throw problemOf(error);
  }
}

function inflated(body: Readable, encoding: string): Readable {
  if (encoding !== 'gzip') return body;
  const gunzip = createGunzip();
  body.once('error', (error) => gunzip.destroy(error));
  return body.pipe(gunzip);
}

function problemOf(error: unknown): unknown {
  const { code = '' } = error as { code?: string };
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return new Problem(400, 'bad_encoding', 'The text is not UTF-8');
  if (code.startsWith('Z_')) return new Problem(400, 'bad_encoding', 'The body is not the gzip that it claims to be');
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return new Problem(400, 'malformed', 'The body ended before its end');
  return error;
}

/** What is still to come is not read. */
function tooLarge(title: string): Problem {
  return new Problem(413, 'body_too_large', title, { headers: { connection: 'close' } });
}
