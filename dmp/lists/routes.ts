import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { refusedKeys } from '../consents/refused.ts';
import type { DmpDeps } from '../deps.ts';
import { createKeyring } from '../events/keyring.ts';
import type { Noun } from '../http/noun.ts';
import { referenceFault } from '../http/references.ts';
import { registerResource } from '../http/resource.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { peppersOfSource } from '../identity/tenant.ts';
import { readEntries } from '../inventory-lists/read-entries.ts';
import { maySee, requireScope } from '../keys/auth.ts';
import { type Fault, invalid, notFound, Problem } from '../problem.ts';
import { allows, mayUse } from '../sources/access.ts';
import { namespaceOf } from '../sources/source.ts';
import { RevisionConflict, type Thing, type Things } from '../things/things.ts';
import { countEntries, createTaker, dropEntries, writeEntries } from './entries.ts';
import { type List, ListInput } from './list.ts';

type Call = FastifyRequest<{ Params: { id: string } }>;

const SCOPES = { read: 'segments:read', write: 'segments:write' } as const;

const LISTS: Noun<'list', ListInput> = {
  kind: 'list',
  path: 'lists',
  title: 'list of people',
  prefix: 'lst_',
  input: ListInput,
  ...SCOPES,
  immutable: ['advertiser', 'kind', 'source'],
  filters: ['advertiser'],
  advertiserOf: ({ advertiser }) => advertiser,
  check: (list, { deps: { things } }) => [
    ...referenceFault(things, 'advertiser', list.advertiser, '/advertiser', null),
    ...sourceFaults(list, things),
  ],
  store: (list, { current }) => ({ ...list, size: current?.body.size ?? 0 }),
  show: ({ body }) => ({ size: body.size }),
  shown: ['size'],
  holds: async ({ id }, { warehouse }) => {
    const { size } = await countEntries(warehouse, id);
    return size === 0 ? [] : [{ pointer: '', code: 'in_use', message: `it names ${size} people: empty it first` }];
  },
};

/** The people are there under the contract of the source: it must be one that the advertiser may use, and hold such identifiers. */
function sourceFaults({ advertiser, kind, source }: ListInput, things: Things): readonly Fault[] {
  const contract = things.get('source', source)?.body;
  if (contract === undefined || !mayUse(contract, advertiser, 'profiles'))
    return [{ pointer: '/source', code: 'unknown_source', message: `no source ${source} that the advertiser may use` }];
  const faults = allows(contract, { kind: 'identify', identifierKinds: [kind] }) ?? [];
  return faults.map((fault) => ({ ...fault, pointer: fault.pointer.startsWith('/identifiers') ? '/kind' : '/source' }));
}

const tags = ['lists'];
const params = Type.Object({ id: Type.String({ maxLength: 200 }) });
const Answer = Type.Object({
  id: Type.String(),
  accepted: Type.Integer({ description: 'people that the lines named, each once' }),
  repeated: Type.Integer({ description: 'lines that named somebody again' }),
  withheld: Type.Integer({ description: 'lines of people who refused that anything of them is stored, or were erased' }),
  refused: Type.Integer({ description: 'lines that name nobody' }),
  faults: Type.Array(Type.Object({ line: Type.Integer(), code: Type.String(), message: Type.String() }), {
    description: 'of these the first hundred; no value is repeated',
  }),
  size: Type.Integer({ description: 'people that the list names now' }),
  matched: Type.Integer({ description: 'of these known to Walkin: only they can be in a segment' }),
});
const schema = (operationId: string, summary: string) => ({
  tags,
  operationId,
  summary,
  description:
    'The body is a text of one identifier a line, gzip or not. Each is keyed as it arrives, as those of events are; nothing else of it is kept. Lines that name nobody are told and passed over.',
  params,
  response: { 200: { description: 'Taken', content: { 'application/json': { schema: Answer } } }, ...PROBLEM_RESPONSES },
});

/** What becomes of the people whom the lines name, and of the others. */
type Act = 'replace' | 'add' | 'remove';

/** /v1/lists, and /v1/lists/{id}/entries as texts. */
export function registerListsRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, LISTS);
  const path = '/v1/lists/:id/entries';
  app.register(async (scope) => {
    // The text is read as it comes, whatever it says it is.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    const put = schema('putListEntries', 'Send all people of a list, one identifier a line');
    scope.put(path, { schema: put }, (request) => upload(deps, request as Call, 'replace'));
    const add = schema('addListEntries', 'Send more people of a list, one identifier a line');
    scope.post(path, { schema: add }, (request) => upload(deps, request as Call, 'add'));
    const remove = schema('removeListEntries', 'Take people out of a list, one identifier a line');
    scope.post(`${path}/remove`, { schema: remove }, (request) => upload(deps, request as Call, 'remove'));
  });
}

async function upload(deps: DmpDeps, request: Call, act: Act): Promise<object> {
  requireScope(request, SCOPES.write);
  const { warehouse, things } = deps;
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new Problem(415, 'unsupported_media_type', 'The content encoding is not known', { detail: 'only gzip is' });
  const { id, body } = findOwn(deps, request);
  const faults = sourceFaults(body, things);
  if (faults.length > 0) throw invalid(faults, 'The source of the list may not be used');
  const contract = things.get('source', body.source)?.body;
  const keyring = createKeyring(peppersOfSource(deps, contract), namespaceOf(contract));
  // Who refuses can still be taken out.
  const held = act === 'remove' ? new Set<string>() : await refusedKeys(deps);
  const taker = createTaker({ kind: body.kind, keyring, refusedKeys: held });
  const unread = await readEntries((request.body as Readable | undefined) ?? request.raw, encoding, taker);
  if (unread.length > 0) throw invalid(unread, 'The text is not one of an identifier a line');

  const version = await nextVersion(deps, id);
  await writeEntries(warehouse, taker.keys, keyring, {
    list: id,
    source: body.source,
    version,
    removed: act === 'remove' ? 1 : 0,
  });
  if (act !== 'add') await dropEntries(warehouse, id, act === 'replace' ? version : null);
  const counted = await countEntries(warehouse, id);
  await keepSize(deps, request, id, counted.size);
  return { id, ...taker.taken(), ...counted };
}

/** Later than every upload before, whatever the clock says. */
async function nextVersion({ warehouse, now }: DmpDeps, list: string): Promise<number> {
  const sql = 'SELECT max(version) AS version FROM list_entries WHERE list = {list:String}';
  const [row] = await warehouse.query<{ version: string }>({ sql, params: { list } });
  return Math.max(now(), Number(row?.version ?? 0) + 1);
}

/** Times that it is tried again when others change the list meanwhile. */
const PATIENCE = 5;

async function keepSize({ things }: DmpDeps, { principal }: Call, id: string, size: number): Promise<void> {
  for (let turn = 1; ; turn++) {
    const list = things.get('list', id);
    if (list === undefined || list.body.size === size) return;
    try {
      await things.put('list', id, { ...list.body, size }, { actor: principal.id, expected: list.revision });
      return;
    } catch (error) {
      if (!(error instanceof RevisionConflict && turn < PATIENCE)) throw error;
    }
  }
}

function findOwn({ things }: DmpDeps, { params: { id }, principal }: Call): Thing<List> {
  const list = things.get('list', id);
  if (list === undefined || !maySee(principal, list.body.advertiser)) throw notFound('list of people');
  return list;
}
