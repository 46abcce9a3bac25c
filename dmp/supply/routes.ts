import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { cutPage, PageQuery } from '../http/page.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { requireScope } from '../keys/auth.ts';
import { type Fault, invalid, notFound, Problem } from '../problem.ts';
import type { Thing, ThingBodies } from '../things/things.ts';
import { type AdsTxt, type LineFault, parseAdsTxt } from './ads-txt.ts';
import { isDomainOrBundle } from './domain.ts';
import { parseSellersJson } from './sellers-json.ts';

type Kind = 'ads-txt' | 'sellers-json';
type Call = FastifyRequest<{ Params: { domain: string }; Querystring: { limit: number; cursor?: string } }>;

/** A file as it is read: what is kept of it, and what could not be read. */
interface Taken<K extends Kind> {
  readonly body: ThingBodies[K];
  readonly faults: readonly (Fault | LineFault)[];
}

/** A kind of file, by the domain that publishes it. */
interface FileKind<K extends Kind> {
  readonly kind: K;
  readonly title: string;
  readonly operation: string;
  readonly description: string;
  /** Throws where it is no such file. */
  read(text: string): Taken<K>;
  count(body: ThingBodies[K]): number;
}

const MAX_BYTES = 16 * 1024 * 1024;
const MAX_ENTRIES = 200_000;
const TOLD_FAULTS = 100;

const ADS_TXT: FileKind<'ads-txt'> = {
  kind: 'ads-txt',
  title: 'ads.txt',
  operation: 'AdsTxt',
  description:
    'The body is the text of an ads.txt of this domain, or of an app-ads.txt of the domain of its developer or of its bundle.',
  read: (text) => {
    const { records, variables, faults } = parseAdsTxt(text);
    const [first = { line: 1, code: 'bad_seller', message: 'there is no record' }] = faults as readonly LineFault[];
    if (records.length === 0) throw unreadable(`line ${first.line}: ${first.message}`);
    return { body: { records, variables }, faults };
  },
  count: ({ records }: AdsTxt) => records.length,
};

const SELLERS_JSON: FileKind<'sellers-json'> = {
  kind: 'sellers-json',
  title: 'sellers.json',
  operation: 'SellersJson',
  description: 'The body is the sellers.json of this seller system.',
  read: (text) => {
    const read = parseSellersJson(jsonOf(text));
    if (read === null) throw unreadable('there is no list of sellers');
    return { body: { sellers: read.sellers }, faults: read.faults };
  },
  count: ({ sellers }) => sellers.length,
};

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    throw new Problem(400, 'malformed', 'The body is not readable as JSON');
  }
}

function unreadable(message: string): Problem {
  return invalid([{ pointer: '', code: 'bad_seller', message }], 'The file has nothing that can be read');
}

/** /v1/ads-txt and /v1/sellers-json: who may sell for whom, as its publisher says. A newer file takes the place of the older one. */
export function registerSupplyRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerFileKind(app, deps, ADS_TXT);
  registerFileKind(app, deps, SELLERS_JSON);
}

function registerFileKind<K extends Kind>(app: FastifyInstance, deps: DmpDeps, file: FileKind<K>): void {
  const { kind, title, operation } = file;
  const path = `/v1/${kind}`;
  const common = { tags: ['supply'], response: PROBLEM_RESPONSES };
  const params = Type.Object({ domain: Type.String({ maxLength: 253 }) });
  const schemas = {
    list: {
      ...common,
      operationId: `list${operation}`,
      summary: `List the known ${title} files`,
      querystring: Type.Object(PageQuery),
    },
    read: { ...common, operationId: `get${operation}`, summary: `Read what is known of an ${title}`, params },
    put: { ...common, operationId: `put${operation}`, summary: `Import an ${title}`, description: file.description, params },
    remove: { ...common, operationId: `delete${operation}`, summary: `Forget an ${title}`, params },
  };
  app.get(path, { schema: schemas.list }, async (request) => {
    requireScope(request, 'admin');
    const { limit, cursor } = (request as Call).query;
    const { items, page } = cutPage(deps.things.list(kind), limit, cursor);
    return { data: items.map((thing) => summaryOf(file, thing)), page };
  });
  app.get(`${path}/:domain`, { schema: schemas.read }, async (request) => {
    requireScope(request, 'admin');
    const thing = find(deps, file, request as Call);
    return { ...summaryOf(file, thing), ...thing.body };
  });
  app.delete(`${path}/:domain`, { schema: schemas.remove, config: { audited: 'thing' } }, async (request, reply) => {
    requireScope(request, 'admin');
    await deps.things.remove(kind, find(deps, file, request as Call).id, { actor: request.principal.id });
    return reply.code(204).send();
  });
  app.register(async (scope) => {
    // The file is taken as it is, whatever it says it is.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BYTES }, (_request, body, done) => done(null, body));
    scope.put(`${path}/:domain`, { schema: schemas.put, config: { audited: 'thing' } }, (request, reply) =>
      put(deps, file, request as Call, reply),
    );
  });
}

async function put<K extends Kind>(deps: DmpDeps, file: FileKind<K>, request: Call, reply: FastifyReply): Promise<object> {
  requireScope(request, 'admin');
  const domain = domainOf(request);
  const { body, faults } = file.read(textOf(request.body));
  if (file.count(body) > MAX_ENTRIES)
    throw new Problem(413, 'body_too_large', `An ${file.title} may have ${MAX_ENTRIES} entries`);
  const isNew = deps.things.get(file.kind, domain) === undefined;
  const thing = await deps.things.put(file.kind, domain, body, { actor: request.principal.id });
  reply.code(isNew ? 201 : 200);
  return { ...summaryOf(file, thing), faults: faults.length, errors: faults.slice(0, TOLD_FAULTS) };
}

function textOf(body: unknown): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.isBuffer(body) ? body : Buffer.alloc(0));
  } catch {
    throw new Problem(400, 'bad_encoding', 'The file is not UTF-8');
  }
}

function domainOf(request: Call): string {
  const domain = request.params.domain.toLowerCase();
  if (!isDomainOrBundle(domain)) throw invalid([{ pointer: '/domain', code: 'bad_domain', message: 'is not a domain name' }]);
  return domain;
}

function find<K extends Kind>({ things }: DmpDeps, file: FileKind<K>, request: Call): Thing<ThingBodies[K]> {
  const thing = things.get(file.kind, request.params.domain.toLowerCase());
  if (thing === undefined) throw notFound(`${file.title} of this domain`);
  return thing;
}

function summaryOf<K extends Kind>(file: FileKind<K>, thing: Thing<ThingBodies[K]>): object {
  return {
    domain: thing.id,
    entries: file.count(thing.body),
    revision: thing.revision,
    updatedAt: new Date(thing.updatedAt).toISOString(),
  };
}
