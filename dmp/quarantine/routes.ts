import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import type { QuarantineRow } from '../events/rows.ts';
import { isCursorTime, PageQuery } from '../http/page.ts';
import { nullable } from '../http/schema.ts';
import { answerJob } from '../jobs/view.ts';
import { requireScope } from '../keys/auth.ts';
import { notFound, Problem } from '../problem.ts';
import { termsOf } from '../sources/source.ts';
import { replayRows } from './replay.ts';
import { type Cursor, FILTERS, type Filter, selectRows } from './select.ts';

interface Query extends Filter {
  readonly replayed?: boolean;
  readonly limit: number;
  readonly cursor?: string;
}

type KeptRow = QuarantineRow & { readonly replayed: string | null };

const tags = ['events'];
const filter = Type.Optional(Type.String({ maxLength: 256 }));
const filters = Object.fromEntries(FILTERS.map((name) => [name, filter]));
const Patch = Type.Object(
  {
    patch: Type.Optional(
      Type.Unsafe<object>({ type: 'object', description: 'a merge patch that mends each row first; identifiers in it are raw' }),
    ),
  },
  { additionalProperties: false },
);

const SCHEMAS = {
  list: {
    tags,
    operationId: 'listQuarantine',
    summary: 'List refused rows, newest first',
    querystring: Type.Object(
      {
        ...filters,
        replayed: Type.Optional(Type.Boolean({ description: 'those that were taken since; default those that wait' })),
        ...PageQuery,
      },
      { additionalProperties: false },
    ),
  },
  one: {
    tags,
    operationId: 'replayQuarantined',
    summary: 'Try a refused row again',
    params: Type.Object({ id: Type.String({ maxLength: 64 }) }),
    body: nullable(Patch),
  },
  all: {
    tags,
    operationId: 'replayQuarantine',
    summary: 'Try all refused rows of a filter again, as a job',
    querystring: Type.Object(filters, { additionalProperties: false }),
    body: nullable(Patch),
  },
};

/** GET /v1/quarantine, POST /v1/quarantine/{id}/replay, POST /v1/quarantine/replay */
export function registerQuarantineRoutes(app: FastifyInstance, deps: DmpDeps): void {
  app.get('/v1/quarantine', { schema: SCHEMAS.list }, async (request) => {
    requireScope(request, 'quarantine:read');
    const query = (request as FastifyRequest<{ Querystring: Query }>).query;
    const cursor = query.cursor === undefined ? null : readCursor(query.cursor);
    const rows = await deps.warehouse.query<KeptRow>(
      selectRows(query, cursor, query.limit + 1, { replayed: query.replayed === true, sources: heldBy(deps, request) }),
    );
    return pageOf(rows, query.limit);
  });
  app.post('/v1/quarantine/:id/replay', { schema: SCHEMAS.one }, async (request) => {
    requireScope(request, 'imports:write');
    const { id } = request.params as { id: string };
    const [row] = await deps.warehouse.query<KeptRow>(selectRows({}, null, 1, { id, sources: heldBy(deps, request) }));
    if (row === undefined) throw notFound(`refused row ${id.slice(0, 64)} that waits`);
    const [replayed] = await replayRows([row], patchOf(request), deps);
    return { id, status: replayed?.faults === null ? 'accepted' : 'quarantined', errors: replayed?.faults ?? [] };
  });
  app.post('/v1/quarantine/replay', { schema: SCHEMAS.all }, async (request, reply) => {
    requireScope(request, 'imports:write');
    const payload = { filter: { ...(request.query as Filter) }, sources: heldBy(deps, request), patch: patchOf(request) };
    return answerJob(reply, await deps.jobs.enqueue('replay', payload, request.principal.id));
  });
}

/** Whose refused rows a key sees: those of the sources that its advertiser holds; null: of all, those of no source too. */
function heldBy({ things }: DmpDeps, { principal }: FastifyRequest): string[] | null {
  if (principal.advertiser === null) return null;
  return things.list('source').flatMap(({ id, body }) => (termsOf(body).advertiser === principal.advertiser ? [id] : []));
}

function patchOf(request: FastifyRequest): unknown {
  return (request.body as { patch?: unknown } | null)?.patch;
}

function pageOf(rows: readonly KeptRow[], limit: number): object {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > limit;
  const next = hasMore && last !== undefined ? Buffer.from(JSON.stringify([last.at, last.id])).toString('base64url') : null;
  return { data: shown.map(rowBody), page: { next, hasMore } };
}

function rowBody(row: KeptRow): object {
  const replayed = row.replayed === null ? null : `${row.replayed.replace(' ', 'T')}Z`;
  return {
    ...row,
    at: `${row.at.replace(' ', 'T')}Z`,
    line: Number(row.line),
    import: row.import === '' ? null : row.import,
    replayed,
  };
}

function readCursor(text: string): Cursor {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(value) && isCursorTime(value[0]) && typeof value[1] === 'string' && /^[0-9a-f]{32}$/.test(value[1]))
      return [value[0], value[1]];
  } catch {
    // Said below.
  }
  throw new Problem(400, 'bad_cursor', 'The cursor was not made by this list', {
    errors: [{ pointer: '?cursor', code: 'bad_cursor', message: 'must be the page.next of the page before' }],
  });
}
