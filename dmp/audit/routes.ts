import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { Statement } from '../clickhouse/warehouse.ts';
import type { DmpDeps } from '../deps.ts';
import { isCursorTime, PageQuery, pageOf } from '../http/page.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { Time } from '../http/schema.ts';
import { requireScope } from '../keys/auth.ts';
import { Problem } from '../problem.ts';
import { changedMembers, masked } from './mask.ts';

const Text = Type.Optional(Type.String({ maxLength: 200 }));
const Query = Type.Object(
  {
    ...PageQuery,
    kind: Text,
    id: Text,
    actor: Text,
    from: Type.Optional(Time),
    to: Type.Optional(Time),
  },
  { additionalProperties: false },
);
interface AuditQuery {
  readonly limit: number;
  readonly cursor?: string;
  readonly kind?: string;
  readonly id?: string;
  readonly actor?: string;
  readonly from?: string;
  readonly to?: string;
}

const Body = Type.Unsafe<object | null>({ type: ['object', 'null'] });
const Entry = Type.Object({
  at: Time,
  actor: Type.String({ description: 'id of the API key, or the part of Walkin that did it' }),
  action: Type.String({ description: 'create, change or delete of a thing; else the operationId' }),
  kind: Type.String(),
  id: Type.String(),
  revision: Type.Unsafe<number | null>({ type: ['integer', 'null'] }),
  changed: Type.Array(Type.String(), { description: 'members that differ' }),
  before: Body,
  after: Body,
});

const SCHEMA = {
  tags: ['audit'],
  operationId: 'listAuditLog',
  summary: 'Who changed what, newest first, with before and after',
  description:
    'Every revision of every thing, and every other call that changes something. Secrets are masked; lists of more than 100 items are told by their length. A key that is bound to an advertiser sees what is that advertiser’s, and its own acts.',
  querystring: Query,
  response: { 200: { description: 'A page', content: { 'application/json': { schema: pageOf(Entry) } } }, ...PROBLEM_RESPONSES },
};

interface Row {
  readonly at: string;
  readonly kind: string;
  readonly id: string;
  readonly revision: number;
  readonly actor: string;
  readonly deleted: number;
  readonly body: string;
  readonly action: string;
  /** Of an act the call that it was done by: many are written in one moment of the same thing. */
  readonly request: string;
}

/** GET /v1/audit-log */
export function registerAuditRoutes(app: FastifyInstance, { warehouse }: DmpDeps): void {
  app.get('/v1/audit-log', { schema: SCHEMA }, async (request) => {
    requireScope(request, 'audit:read');
    const query = request.query as AuditQuery;
    const rows = await warehouse.query<Row>(pageStatement(query, request.principal.advertiser));
    const shown = rows.slice(0, query.limit);
    const before = await warehouse.query<Row>(beforeStatement(shown));
    const bodies = new Map(before.map((row) => [`${row.kind} ${row.id} ${row.revision}`, bodyOf(row)]));
    const last = shown.at(-1);
    const hasMore = rows.length > query.limit;
    return {
      data: shown.map((row) => entryOf(row, bodies.get(`${row.kind} ${row.id} ${row.revision - 1}`) ?? null)),
      page: { next: hasMore && last !== undefined ? writeCursor(last) : null, hasMore },
    };
  });
}

/** Things of an advertiser, those that are gone too. Line items name it through their campaign. */
const OWNED = `(kind, id) IN (SELECT kind, id FROM revisions WHERE (kind = 'advertiser' AND id = {advertiser:String})
    OR JSONExtractString(body, 'advertiser') = {advertiser:String}
    OR (kind = 'line-item' AND JSONExtractString(body, 'campaign') IN (
      SELECT id FROM revisions WHERE kind = 'campaign' AND JSONExtractString(body, 'advertiser') = {advertiser:String})))`;

function pageStatement({ limit, cursor, kind, id, actor, from, to }: AuditQuery, advertiser: string | null): Statement {
  const after = cursor === undefined ? null : readCursor(cursor);
  const conditions = [
    ...(kind === undefined ? [] : ['kind = {kind:String}']),
    ...(id === undefined ? [] : ['id = {id:String}']),
    ...(actor === undefined ? [] : ['actor = {actor:String}']),
    ...(from === undefined ? [] : ['at >= fromUnixTimestamp64Milli({from:Int64})']),
    ...(to === undefined ? [] : ['at < fromUnixTimestamp64Milli({to:Int64})']),
    ...(after === null
      ? []
      : [
          "(at, kind, id, revision, request) < ({cAt:DateTime64(3, 'UTC')}, {cKind:String}, {cId:String}, {cRevision:UInt32}, {cRequest:String})",
        ]),
  ];
  const where = (own: string) => [...conditions, ...(advertiser === null ? [] : [own])].join(' AND ') || '1';
  return {
    sql: `SELECT at, kind, id, revision, actor, deleted, body, action, request FROM (
        SELECT at, toString(kind) AS kind, id, revision, actor, deleted, body, '' AS action, '' AS request FROM revisions FINAL WHERE ${where(OWNED)}
        UNION ALL
        SELECT at, toString(kind) AS kind, id, toUInt32(0) AS revision, actor, toUInt8(0) AS deleted, '' AS body, toString(action) AS action, request
        FROM audit_log WHERE ${where('advertiser = {advertiser:String}')})
      ORDER BY at DESC, kind DESC, id DESC, revision DESC, request DESC LIMIT {limit:UInt32}`,
    params: {
      limit: limit + 1,
      ...given({ kind, id, actor, advertiser: advertiser ?? undefined }),
      ...given({ from: from === undefined ? undefined : Date.parse(from), to: to === undefined ? undefined : Date.parse(to) }),
      ...(after === null ? {} : { cAt: after[0], cKind: after[1], cId: after[2], cRevision: after[3], cRequest: after[4] }),
    },
  };
}

function given(params: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined));
}

/** The revision before each. */
function beforeStatement(rows: readonly Row[]): Statement {
  const later = rows.filter((row) => row.revision > 1);
  return {
    sql: `SELECT at, kind, id, revision, actor, deleted, body, '' AS action, '' AS request FROM revisions FINAL
      WHERE (kind, id, revision) IN (SELECT kind, id, revision FROM (
        SELECT arrayJoin(arrayZip({kinds:Array(String)}, {ids:Array(String)}, {revisions:Array(UInt32)})) AS one,
          one.1 AS kind, one.2 AS id, one.3 AS revision))`,
    params: {
      kinds: later.map((row) => row.kind),
      ids: later.map((row) => row.id),
      revisions: later.map((row) => row.revision - 1),
    },
  };
}

function entryOf(row: Row, before: object | null): object {
  const after = bodyOf(row);
  const isThing = row.revision > 0;
  const action = row.deleted === 1 ? 'delete' : before === null ? 'create' : 'change';
  return {
    at: `${row.at.replace(' ', 'T')}Z`,
    actor: row.actor,
    action: isThing ? action : row.action,
    kind: row.kind,
    id: row.id,
    revision: isThing ? row.revision : null,
    changed: changedMembers(before, after),
    before: masked(before),
    after: masked(after),
  };
}

function bodyOf({ deleted, body }: Row): object | null {
  return deleted === 1 || body === '' ? null : (JSON.parse(body) as object);
}

type Cursor = readonly [at: string, kind: string, id: string, revision: number, request: string];

function writeCursor({ at, kind, id, revision, request }: Row): string {
  return Buffer.from(JSON.stringify([at, kind, id, revision, request] satisfies Cursor)).toString('base64url');
}

function readCursor(text: string): Cursor {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(value) && isCursorTime(value[0]) && Number.isInteger(value[3]) && value[3] >= 0 && value[3] <= 0xffff_ffff)
      return [value[0], String(value[1]), String(value[2]), value[3], String(value[4] ?? '')];
  } catch {
    // Said below.
  }
  throw new Problem(400, 'bad_cursor', 'The cursor was not made by this list', {
    errors: [{ pointer: '?cursor', code: 'bad_cursor', message: 'must be the page.next of the page before' }],
  });
}
