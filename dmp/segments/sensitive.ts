import type { Things } from '../things/things.ts';
import { sensitivityOf } from './sensitivity.ts';

/** Whether a segment is marked sensitive, or told to be by its name or taxonomy id, or is made of one that is, through whatever it names. */
export function isSensitive(things: Things, segment: string, met = new Set<string>()): boolean {
  if (met.has(segment)) return false;
  met.add(segment);
  const body = things.get('segment', segment)?.body;
  return body !== undefined && (sensitivityOf(body) !== null || selectsSensitive(things, body.rule, met));
}

/** The same of a rule. */
export function selectsSensitive(things: Things, part: unknown, met = new Set<string>()): boolean {
  if (Array.isArray(part)) return part.some((one) => selectsSensitive(things, one, met));
  if (typeof part !== 'object' || part === null) return false;
  return Object.entries(part).some(([name, value]) => {
    if (name === 'segment' && typeof value === 'string') return isSensitive(things, value, met);
    if (name === 'lookalike') return modelIsSensitive(things, value, met);
    return selectsSensitive(things, value, met);
  });
}

/** The node names its model by id, alone or among its members. */
function modelIsSensitive(things: Things, node: unknown, met: Set<string>): boolean {
  const ids = typeof node === 'string' ? [node] : Object.values(node ?? {}).filter((value) => typeof value === 'string');
  return ids.some((id) => {
    const seed = things.get('lookalike', id)?.body.seed;
    return seed !== undefined && isSensitive(things, seed, met);
  });
}
