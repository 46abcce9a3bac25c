import { JobRefused } from '../jobs/jobs.ts';

/** A document of a file as its text, with its number from 1 (JSON) or its line (NDJSON). */
export interface DocumentText {
  readonly line: number;
  readonly text: string;
}

/** Characters of a document. */
const MAX_DOCUMENT = 16 * 1024 * 1024;

/** One document a line. */
export async function* splitLines(pieces: AsyncIterable<string>): AsyncGenerator<DocumentText[]> {
  let rest = '';
  let line = 0;
  const take = (text: string, isLast: boolean): DocumentText[] => {
    const found: DocumentText[] = [];
    let from = 0;
    for (;;) {
      let end = text.indexOf('\n', from);
      if (end === -1) {
        if (!isLast || from === text.length) break;
        end = text.length;
      }
      line++;
      const one = text.slice(from, end);
      if (one.trim() !== '') found.push({ line, text: one });
      from = end + 1;
      if (from > text.length) break;
    }
    rest = text.slice(Math.min(from, text.length));
    return found;
  };
  for await (const piece of pieces) {
    yield take(rest === '' ? piece : rest + piece, false);
    if (rest.length > MAX_DOCUMENT) throw new JobRefused('line_too_large', `line ${line + 1} is over ${MAX_DOCUMENT} characters`);
  }
  yield take(rest, true);
}

const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;

/** A JSON file: one document, or an array of them, of which no more than one is held at a time. Broken JSON is a broken file. */
export async function* splitJson(pieces: AsyncIterable<string>): AsyncGenerator<DocumentText[]> {
  let rest = '';
  let at = 0;
  let depth = 0;
  let begin = -1;
  let isText = false;
  let isEscaped = false;
  let isList: boolean | null = null;
  let line = 0;
  for await (const piece of pieces) {
    rest = rest.slice(begin === -1 ? at : begin);
    at -= begin === -1 ? at : begin;
    if (begin !== -1) begin = 0;
    rest += piece;
    const found: DocumentText[] = [];
    for (; at < rest.length; at++) {
      const code = rest.charCodeAt(at);
      if (isText) {
        if (isEscaped) isEscaped = false;
        else if (code === BACKSLASH) isEscaped = true;
        else if (code === QUOTE) isText = false;
        continue;
      }
      if (code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d) continue;
      if (isList === null) {
        isList = code === 0x5b;
        if (isList) {
          continue;
        }
      }
      if (code === QUOTE) isText = true;
      if (code === 0x7b || code === 0x5b) depth++;
      const isEnd = isList && depth === 0 && (code === COMMA || code === 0x5d);
      if (isEnd) {
        if (begin !== -1) found.push({ line: ++line, text: rest.slice(begin, at) });
        begin = -1;
        continue;
      }
      if (begin === -1) begin = at;
      if (code === 0x7d || code === 0x5d) depth--;
      if (depth < 0) throw new JobRefused('not_json', 'the file is not readable as JSON');
      if (!isList && depth === 0 && (code === 0x7d || code === 0x5d)) {
        found.push({ line: ++line, text: rest.slice(begin, at + 1) });
        begin = -1;
      }
    }
    if (begin !== -1 && rest.length - begin > MAX_DOCUMENT)
      throw new JobRefused('line_too_large', `document ${line + 1} is over ${MAX_DOCUMENT} characters`);
    yield found;
  }
  if (begin !== -1 || depth !== 0) throw new JobRefused('not_json', `the file breaks off in document ${line + 1}`);
}
