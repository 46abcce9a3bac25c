import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Statement } from '../clickhouse/warehouse.ts';
import type { DmpDeps } from '../deps.ts';
import type { QuarantineRow } from '../events/tables.ts';
import { PageQuery } from '../http/page.ts';
import { requireScope } from '../keys/auth.ts';
import { Problem } from '../problem.ts';

interface Query {
  readonly source?: string;
  readonly import?: string;
  readonly type?: string;
  readonly code?: string;
  readonly limit: number;
  readonly cursor?: string;
}

type Cursor = readonly [at: string, id: string];

const FILTERS = ['source', 'import', 'type', 'code'] as const;
const filter = Type.Optional(Type.String({ maxLength: 256 }));

const SCHEMA = {
  tags: ['events'],
  operationId: 'listQuarantine',
  summary: 'List refused rows, newest first',
  querystring: Type.Object(
    { ...Object.fromEntries(FILTERS.map((name) => [name, filter])), ...PageQuery },
    { additionalProperties: false },
  ),
};

/** GET /v1/quarantine */
export function registerQuarantineRoutes(app: FastifyInstance, deps: DmpDeps): void {
  app.get('/v1/quarantine', { schema: SCHEMA }, async (request) => {
    requireScope(request, 'quarantine:read');
    // Sources are nobody's: what they sent is not for a key of one advertiser.
    if (request.principal.advertiser !== null)
      throw new Problem(403, 'forbidden', 'A key that is bound to an advertiser cannot see the quarantine');
    const query = (request as FastifyRequest<{ Querystring: Query }>).query;
    const rows = await deps.warehouse.query<QuarantineRow>(listStatement(query));
    return pageOf(rows, query.limit);
  });
}

function listStatement(query: Query): Statement {
  const wheres = FILTERS.filter((name) => query[name] !== undefined).map((name) => `${name} = {${name}:String}`);
  const cursor = query.cursor === undefined ? null : readCursor(query.cursor);
  if (cursor !== null) wheres.push("(at, id) < ({at:DateTime64(3, 'UTC')}, {id:String})");
  const params = Object.fromEntries(FILTERS.flatMap((name) => (query[name] === undefined ? [] : [[name, query[name]]])));
  return {
    sql: `SELECT id, at, source, import, type, line, pointer, value, code, message, original FROM quarantine FINAL
      ${wheres.length === 0 ? '' : `WHERE ${wheres.join(' AND ')}`}
      ORDER BY at DESC, id DESC LIMIT {limit:UInt32}`,
    params: { ...params, ...(cursor === null ? {} : { at: cursor[0], id: cursor[1] }), limit: query.limit + 1 },
  };
}

function pageOf(rows: readonly QuarantineRow[], limit: number): object {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > limit;
  const next = hasMore && last !== undefined ? Buffer.from(JSON.stringify([last.at, last.id])).toString('base64url') : null;
  return { data: shown.map(rowBody), page: { next, hasMore } };
}

function rowBody(row: QuarantineRow): object {
  return { ...row, at: `${row.at.replace(' ', 'T')}Z`, line: Number(row.line), import: row.import === '' ? null : row.import };
}

function readCursor(text: string): Cursor {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(value) && /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/.test(value[0]) && /^[0-9a-f]{32}$/.test(value[1]))
      return [value[0], value[1]];
  } catch {
    // Said below.
  }
  throw new Problem(400, 'bad_cursor', 'The cursor was not made by this list', {
    errors: [{ pointer: '?cursor', code: 'bad_cursor', message: 'must be the page.next of the page before' }],
  });
}
