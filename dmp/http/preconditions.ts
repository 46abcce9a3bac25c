import type { FastifyRequest } from 'fastify';
import { Problem } from '../problem.ts';
import type { Thing } from '../things/things.ts';
import { stale } from './errors.ts';

export function etagOf(thing: Thing<unknown>): string {
  return `"${thing.revision}"`;
}

/**
 * The revision that a change of an existing thing was made for: 428 where the call does not say, 412 where it is another than
 * the current one, undefined for `If-Match: *` (whatever it is).
 */
export function expectedRevision(request: FastifyRequest, current: Thing<unknown>): number | undefined {
  const header = request.headers['if-match'];
  if (header === undefined)
    throw new Problem(428, 'precondition_required', 'A change needs an If-Match header with the ETag that was read', {
      headers: { etag: etagOf(current) },
    });
  if (header.trim() === '*') return undefined;
  if (tagsOf(header).includes(etagOf(current))) return current.revision;
  throw stale(current.revision);
}

/** A call that was made for some revision of a thing, where there is none. */
export function expectAbsent(request: FastifyRequest): void {
  if (request.headers['if-match'] !== undefined) throw stale(0);
}

/** Whether the caller holds the current revision already. */
export function isFresh(request: FastifyRequest, current: Thing<unknown>): boolean {
  const header = request.headers['if-none-match'];
  return header !== undefined && tagsOf(header).some((tag) => tag.replace(/^W\//, '') === etagOf(current));
}

function tagsOf(header: string): string[] {
  return header.split(',').map((tag) => tag.trim());
}
