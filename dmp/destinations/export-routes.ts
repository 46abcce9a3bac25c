import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { oneOf } from '../http/schema.ts';
import { maySee, type Principal, requireScope } from '../keys/auth.ts';
import { notFound, Problem } from '../problem.ts';
import { countFor } from '../segments/minimum.ts';
import type { Thing } from '../things/things.ts';
import type { Destination } from './destination.ts';
import { type Export, listExports, readExport, saveExport } from './exports.ts';
import { folderOf } from './files.ts';
import { forgetRemoved } from './ledger.ts';
import { queueExport, startExport } from './queue-export.ts';
import { ResultBody, readResult, type ToldResult } from './result.ts';

const tags = ['destinations'];
const params = Type.Object({ id: Type.String({ maxLength: 200 }) });
const closed = { additionalProperties: false } as const;
const View = Type.Object(
  {},
  { additionalProperties: true, description: 'an export: segments, versions, files with counts and SHA-256' },
);
const shows = (status: 200 | 202, schema: object = View) => ({
  [status]: { description: 'It', content: { 'application/json': { schema } } },
  ...PROBLEM_RESPONSES,
});

export function registerExportRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerExport(app, deps);
  registerReads(app, deps);
  registerFile(app, deps);
  registerFeedback(app, deps);
}

function registerExport(app: FastifyInstance, deps: DmpDeps): void {
  const body = Type.Object(
    { mode: Type.Optional(oneOf(['full', 'delta'], { description: 'default that of the destination' })) },
    closed,
  );
  const schema = {
    ...{ tags, operationId: 'exportDestination', summary: 'Send the segments of a destination now', params },
    body: Type.Unsafe<object>({ ...body, type: ['object', 'null'] }),
    response: shows(202),
  };
  app.post('/v1/destinations/:id/export', { schema }, async (request, reply) => {
    requireScope(request, 'destinations:write');
    const { id, body: destination } = findDestination(deps, request);
    if (destination.kind === 'lookup') throw new Problem(409, 'conflict', 'A lookup is answered, not sent');
    const { mode } = (request.body ?? {}) as { mode?: Export['mode'] };
    const record = await queueExport(deps, id, request.principal.id, mode);
    reply.code(202).header('location', `/v1/exports/${record.id}`);
    return shownTo(request.principal, record);
  });
}

function registerReads(app: FastifyInstance, deps: DmpDeps): void {
  const list = {
    ...{ tags, operationId: 'listExports', summary: 'The exports of a destination, newest first', params },
    querystring: Type.Object(
      {
        limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }),
        below: Type.Optional(Type.Integer({ minimum: 1, maximum: 0xffff_ffff, description: '`page.next` of the page before' })),
      },
      closed,
    ),
    response: shows(200, Type.Object({ data: Type.Array(View), page: Type.Object({}, { additionalProperties: true }) })),
  };
  app.get('/v1/destinations/:id/exports', { schema: list }, async (request) => {
    requireScope(request, 'destinations:read');
    const { id } = findDestination(deps, request);
    const { limit, below } = request.query as { limit: number; below?: number };
    const rows = await listExports(deps.warehouse, id, limit + 1, below);
    const data = rows.slice(0, limit);
    const hasMore = rows.length > limit;
    return {
      data: data.map((record) => shownTo(request.principal, record)),
      page: { next: hasMore ? (data.at(-1)?.number ?? null) : null, hasMore },
    };
  });
  const read = {
    tags,
    operationId: 'getExport',
    summary: 'What an export sent, and how its delivery went',
    params,
    response: shows(200),
  };
  app.get('/v1/exports/:id', { schema: read }, async (request) => {
    requireScope(request, 'destinations:read');
    return shownTo(request.principal, await findExport(deps, request));
  });
}

function registerFile(app: FastifyInstance, deps: DmpDeps): void {
  const schema = {
    ...{
      tags,
      operationId: 'getExportFile',
      summary: 'Fetch a file of an export; one that is to be fetched is delivered by it',
      params,
    },
    querystring: Type.Object(
      { name: Type.Optional(Type.String({ maxLength: 300, description: 'where there are several' })) },
      closed,
    ),
    response: {
      200: {
        description: 'The file',
        content: { 'application/octet-stream': { schema: Type.Unsafe<string>({ type: 'string', format: 'binary' }) } },
      },
      ...PROBLEM_RESPONSES,
    },
  };
  app.get('/v1/exports/:id/file', { schema }, async (request, reply) => {
    // It holds hashes of people: who may look at a destination may not see them all.
    requireScope(request, 'destinations:write');
    const record = await findExport(deps, request);
    const { name } = request.query as { name?: string };
    if (record.state === 'superseded') throw new Problem(409, 'conflict', 'Another export takes its place: fetch that one');
    const file =
      name === undefined && record.files.length === 1 ? record.files[0] : record.files.find((one) => one.name === name);
    if (file === undefined && name === undefined && record.files.length > 1)
      throw new Problem(422, 'validation', `The export has ${record.files.length} files: say which by ?name=`);
    const path = file === undefined ? '' : join(folderOf(deps.uploads, record.id), file.name);
    if (file === undefined || (await stat(path).catch(() => null)) === null)
      throw notFound('file: files are kept for seven days, those that remove somebody for one');
    const stream = createReadStream(path);
    // The answer is whole when its last byte went out.
    finished(reply.raw, (error) => {
      if (error === null || error === undefined) void fetched(deps, record.id, file.name);
    });
    return reply
      .header('content-type', 'application/octet-stream')
      .header('content-length', file.bytes)
      .header('content-disposition', `attachment; filename="${file.name}"`)
      .header('x-sha256', file.sha256)
      .send(stream);
  });
}

/** All of its files were fetched: the destination has them. */
async function fetched(deps: DmpDeps, id: string, name: string): Promise<void> {
  try {
    const record = await readExport(deps.warehouse, id);
    if (record === null || record.state !== 'ready') return;
    const done = [...new Set([...record.done, name])];
    const isWhole = record.files.every((file) => done.includes(file.name));
    const change = isWhole ? ({ state: 'delivered', deliveredAt: new Date(deps.now()).toISOString() } as const) : {};
    await saveExport(deps.warehouse, { ...record, done, ...change }, deps.now());
    if (isWhole) await forgetRemoved(deps.warehouse, record.destination, record.number, 'erased');
  } catch (error) {
    deps.log.error({ err: error, export: id }, 'a fetched export is not marked so');
  }
}

function registerFeedback(app: FastifyInstance, deps: DmpDeps): void {
  const result = {
    ...{
      tags,
      operationId: 'putExportResult',
      summary: 'Tell what the destination made of an export: its rate is shown with it',
      params,
    },
    body: ResultBody,
    response: shows(200),
  };
  app.post('/v1/exports/:id/result', { schema: result }, async (request) => {
    requireScope(request, 'destinations:write');
    const record = await findExport(deps, request);
    const kind = deps.things.get('destination', record.destination)?.body.kind ?? 'csv';
    const read = readResult(request.body as ToldResult, kind);
    if ('faults' in read) throw new Problem(422, 'validation', 'The result is not valid', { errors: read.faults });
    const told = { ...record, result: { at: new Date(deps.now()).toISOString(), ...read.result } };
    await saveExport(deps.warehouse, told, deps.now());
    return shownTo(request.principal, told);
  });
  const again = {
    ...{
      tags,
      operationId: 'redeliverExport',
      summary: 'Deliver an export again: the same files or messages, under the same names',
      params,
    },
    response: shows(202),
  };
  app.post('/v1/exports/:id/redeliver', { schema: again }, async (request, reply) => {
    requireScope(request, 'destinations:write');
    const record = await findExport(deps, request);
    const [newest] = await listExports(deps.warehouse, record.destination, 1);
    if (newest?.id !== record.id) throw new Problem(409, 'conflict', 'A later export was made: what this one says is old');
    if (record.state === 'queued' || record.state === 'ready')
      throw new Problem(409, 'conflict', record.state === 'ready' ? 'Its files wait to be fetched' : 'It is being delivered');
    // What a dead one had delivered in part goes on; what was delivered goes once more.
    const done = record.state === 'delivered' ? [] : record.done;
    const next: Export = { ...record, state: 'queued', failures: 0, error: null, done };
    await saveExport(deps.warehouse, next, deps.now());
    reply.code(202);
    return shownTo(request.principal, await startExport(deps, next, request.principal.id));
  });
}

/** Its people as the key gets them. What was sent is told as it is: whoever may fetch the files can count them. */
function shownTo(key: Principal, record: Export): object {
  const people = (n: number): number | null => countFor(key, n);
  return {
    ...record,
    segments: record.segments.map((one) => ({ ...one, members: people(one.members), matched: people(one.matched) })),
  };
}

function findDestination(deps: DmpDeps, request: FastifyRequest): Thing<Destination> {
  const thing = deps.things.get('destination', (request.params as { id: string }).id);
  if (thing === undefined || !maySee(request.principal, thing.body.advertiser)) throw notFound('destination');
  return thing;
}

async function findExport(deps: DmpDeps, request: FastifyRequest): Promise<Export> {
  const record = await readExport(deps.warehouse, (request.params as { id: string }).id);
  if (record === null || !maySee(request.principal, record.advertiser)) throw notFound('export');
  return record;
}
