import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Fault, invalid, Problem } from '../problem.ts';
import { escapePointer } from './validation.ts';

/** Far beyond what any body of ours needs: a rule of 200 levels still gets an answer of its own. */
const MOST_LEVELS = 1_000;
const MOST_FAULTS = 100;

type Done = (error: Error | null, body?: unknown) => void;
type Parse = (request: FastifyRequest, text: string, done: Done) => void;

/** JSON and JSON Merge Patch; routes that take more add their own parsers. */
export function useJson(app: FastifyInstance): void {
  app.removeContentTypeParser('text/plain');
  const parse = app.getDefaultJsonParser('error', 'error') as unknown as Parse;
  const read: Parse = (request, text, done) => {
    if (levelsOf(text) > MOST_LEVELS) return done(tooDeep());
    parse(request, text, (error, body) => {
      const faults = error === null && HALF_ESCAPED.test(text) ? brokenTexts(body) : [];
      if (faults.length > 0) done(invalid(faults));
      else done(error, body);
    });
  };
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser(['application/json', 'application/merge-patch+json'], { parseAs: 'string' }, read as never);
}

function tooDeep(): Problem {
  return new Problem(400, 'malformed', 'The body is nested too deeply', { detail: `at most ${MOST_LEVELS} levels` });
}

const QUOTE = 34;
const BACKSLASH = 92;

/** How deeply lists and objects stand in each other. What walks a body calls itself, and a stack holds some ten thousand of that. */
function levelsOf(text: string): number {
  let level = 0;
  let most = 0;
  let isText = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) isText = !isText;
    else if (isText) continue;
    else if (code === 0x7b || code === 0x5b) most = Math.max(most, ++level);
    else if (code === 0x7d || code === 0x5d) level--;
  }
  return most;
}

/** An escape of half a pair: bytes that are UTF-8 hold none by themselves. */
const HALF_ESCAPED = /\\u[dD][89a-fA-F]/;
const HALF = /\p{Surrogate}/u;

/** Texts and names with half a surrogate pair: no character, which no table and no file can hold. */
function brokenTexts(body: unknown): Fault[] {
  const faults: Fault[] = [];
  const walk = (value: unknown, pointer: string): void => {
    if (faults.length === MOST_FAULTS) return;
    if (typeof value === 'string' && HALF.test(value)) faults.push(broken(pointer));
    if (typeof value !== 'object' || value === null) return;
    for (const [name, member] of Object.entries(value)) {
      if (HALF.test(name)) faults.push(broken(pointer));
      else walk(member, `${pointer}/${escapePointer(name)}`);
    }
  };
  walk(body, '');
  return faults;
}

function broken(pointer: string): Fault {
  return { pointer, code: 'bad_encoding', message: 'has half a surrogate pair, which is no character' };
}
