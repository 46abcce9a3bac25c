import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import type { Noun } from '../http/noun.ts';
import { etagOf, expectedRevision } from '../http/preconditions.ts';
import { referenceFault } from '../http/references.ts';
import { registerResource } from '../http/resource.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { maySee, requireScope } from '../keys/auth.ts';
import { type Fault, invalid, notFound, Problem } from '../problem.ts';
import { RevisionConflict, type Thing } from '../things/things.ts';
import { createEntries } from './entries.ts';
import { type InventoryList, InventoryListInput } from './inventory-list.ts';
import { readEntries } from './read-entries.ts';

type Call = FastifyRequest<{ Params: { id: string }; Querystring: { validateOnly?: boolean } }>;

const SCOPES = { read: 'campaigns:read', write: 'campaigns:write' } as const;
const TOLD_FAULTS = 100;
/** Times that a change of whatever is there is tried again when others change it meanwhile. */
const PATIENCE = 5;

const INVENTORY_LISTS: Noun<'inventory-list', InventoryListInput> = {
  kind: 'inventory-list',
  path: 'inventory-lists',
  title: 'inventory list',
  prefix: 'il_',
  input: InventoryListInput,
  ...SCOPES,
  immutable: ['advertiser', 'kind'],
  filters: ['advertiser', 'kind'],
  writeOnly: ['entries'],
  advertiserOf: (list) => list.advertiser,
  check: (list, { deps }) => [
    ...(list.advertiser === null ? [] : referenceFault(deps.things, 'advertiser', list.advertiser, '/advertiser', null)),
    ...take(list).faults,
  ],
  store: ({ entries, ...list }, { current }) => {
    const kept = current?.body ?? { lines: '', size: 0 };
    return { ...list, ...(entries === undefined ? { lines: kept.lines, size: kept.size } : take({ entries, ...list }).lines) };
  },
  show: ({ body }) => ({ size: body.size }),
  shown: ['size'],
};

/** The entries of a body, as they are kept. */
function take({ entries = [], kind }: Omit<InventoryListInput, 'name'>) {
  const taken = createEntries(kind);
  const faults: Fault[] = [];
  for (let index = 0; index < entries.length && faults.length < TOLD_FAULTS; index++) {
    const fault = taken.take(entries[index] as string);
    if (fault !== null) faults.push({ pointer: `/entries/${index}`, ...fault });
  }
  return { faults, lines: taken.lines() };
}

const tags = ['inventory-lists'];
const params = Type.Object({ id: Type.String({ maxLength: 200 }) });
const Taken = Type.Object({
  id: Type.String(),
  size: Type.Integer({ description: 'entries that the list holds now' }),
  repeated: Type.Integer({ description: 'lines that said what another said before' }),
  revision: Type.Integer(),
});
const SCHEMAS = {
  read: {
    tags,
    operationId: 'getInventoryListEntries',
    summary: 'Read the entries of an inventory list, one a line',
    params,
    response: { 200: { description: 'They', content: { 'text/plain': { schema: Type.String() } } }, ...PROBLEM_RESPONSES },
  },
  put: {
    tags,
    operationId: 'putInventoryListEntries',
    summary: 'Send all entries of an inventory list, one a line',
    description:
      'The body is the text, gzip or not; blank lines and lines that begin with # are passed over. One wrong line refuses it all; the faults name their lines.',
    params,
    querystring: Type.Object({ validateOnly: Type.Optional(Type.Boolean({ description: 'check all, change nothing' })) }),
    headers: Type.Object({ 'if-match': Type.Optional(Type.String({ description: 'ETag of the revision that was read' })) }),
    response: { 200: { description: 'Taken', content: { 'application/json': { schema: Taken } } }, ...PROBLEM_RESPONSES },
  },
};

/** /v1/inventory-lists, and /v1/inventory-lists/{id}/entries as a text. */
export function registerInventoryListRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, INVENTORY_LISTS);
  const path = '/v1/inventory-lists/:id/entries';
  app.get(path, { schema: SCHEMAS.read }, (request, reply) => sendEntries(deps, request as Call, reply));
  app.register(async (scope) => {
    // The text is read as it comes, whatever it says it is.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    scope.put(path, { schema: SCHEMAS.put }, (request, reply) => putEntries(deps, request as Call, reply));
  });
}

function sendEntries(deps: DmpDeps, request: Call, reply: FastifyReply): FastifyReply {
  requireScope(request, SCOPES.read);
  const list = find(deps, request);
  reply.header('etag', etagOf(list)).type('text/plain; charset=utf-8');
  return reply.send(list.body.size === 0 ? '' : `${list.body.lines}\n`);
}

async function putEntries(deps: DmpDeps, request: Call, reply: FastifyReply): Promise<object> {
  requireScope(request, SCOPES.write);
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new Problem(415, 'unsupported_media_type', 'The content encoding is not known', { detail: 'only gzip is' });
  const list = findOwn(deps, request);
  expectedRevision(request, list);
  const entries = createEntries(list.body.kind);
  const faults = await readEntries((request.body as Readable | undefined) ?? request.raw, encoding, entries);
  if (faults.length > 0) throw invalid(faults, 'The list is not valid');
  const { lines, size } = entries.lines();
  const answer = { id: list.id, size, repeated: entries.repeated };
  if (request.query.validateOnly === true) return answer;
  const kept = await keep(deps, request, { lines, size });
  reply.header('etag', etagOf(kept));
  return { ...answer, revision: kept.revision };
}

async function keep(deps: DmpDeps, request: Call, lines: Pick<InventoryList, 'lines' | 'size'>): Promise<Thing<InventoryList>> {
  for (let turn = 1; ; turn++) {
    const list = findOwn(deps, request);
    const isAny = expectedRevision(request, list) === undefined;
    const write = { actor: request.principal.id, expected: list.revision };
    try {
      return await deps.things.put('inventory-list', list.id, { ...list.body, ...lines }, write);
    } catch (error) {
      if (!(error instanceof RevisionConflict && isAny && turn < PATIENCE)) throw error;
    }
  }
}

function find({ things }: DmpDeps, { params, principal }: Call): Thing<InventoryList> {
  const list = things.get('inventory-list', params.id);
  if (list === undefined || !maySee(principal, list.body.advertiser)) throw notFound('inventory list');
  return list;
}

function findOwn(deps: DmpDeps, request: Call): Thing<InventoryList> {
  const list = find(deps, request);
  const { advertiser } = request.principal;
  if (advertiser !== null && list.body.advertiser !== advertiser)
    throw new Problem(403, 'forbidden', 'A key that is bound to an advertiser cannot change this inventory list');
  return list;
}
