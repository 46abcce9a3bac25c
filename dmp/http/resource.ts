import { createHash, randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { DmpDeps } from '../deps.ts';
import { maySee, requireScope } from '../keys/auth.ts';
import { type Fault, invalid, notFound, Problem } from '../problem.ts';
import { usersOf } from '../things/references.ts';
import { type Kind, RevisionConflict, type Thing, type ThingBodies, type Write } from '../things/things.ts';
import { stale } from './errors.ts';
import { idempotencySeed } from './idempotency.ts';
import { isObject, mergePatch } from './merge-patch.ts';
import type { Noun, NounContext } from './noun.ts';
import { cutPage } from './page.ts';
import { etagOf, expectAbsent, expectedRevision, isFresh } from './preconditions.ts';
import { resourceSchemas } from './resource-schemas.ts';
import { faultsOf } from './validation.ts';

type Query = { validateOnly?: boolean; limit: number; cursor?: string } & Record<string, unknown>;
type Call = FastifyRequest<{ Params: { id: string }; Querystring: Query }>;

/** Members of every thing that Walkin sets: where they are sent back they are ignored. */
const READ_ONLY = ['revision', 'createdAt', 'updatedAt'];
/** Times that a change of whatever is there (`If-Match: *`) is tried again when others change it meanwhile. */
const PATIENCE = 5;

/** All routes of a noun: list, create, read, create-or-replace, merge patch, delete. */
export function registerResource<K extends Kind, Input extends object>(
  app: FastifyInstance,
  deps: DmpDeps,
  noun: Noun<K, Input>,
): void {
  const { view: shown, ...schemas } = resourceSchemas(noun);
  app.addSchema(shown);
  const path = `/v1/${noun.path}`;
  const audited = 'thing' as const;
  const config = { idempotent: noun.issue === undefined, audited };
  const preValidation = async (request: FastifyRequest) => prepareBody(request, noun);
  app.get(path, { schema: schemas.list }, (request) => list(deps, noun, request as Call));
  app.post(path, { schema: schemas.create, config, preValidation }, (request, reply) =>
    create(deps, noun, request as Call, reply),
  );
  app.get(`${path}/:id`, { schema: schemas.read }, (request, reply) => read(deps, noun, request as Call, reply));
  app.put(`${path}/:id`, { schema: schemas.replace, preValidation, config: { audited } }, (request, reply) =>
    replace(deps, noun, request as Call, reply),
  );
  app.patch(`${path}/:id`, { schema: schemas.patch, config: { audited } }, (request, reply) =>
    patch(deps, noun, request as Call, reply),
  );
  app.delete(`${path}/:id`, { schema: schemas.remove, config: { audited } }, (request, reply) =>
    remove(deps, noun, request as Call, reply),
  );
}

/** Lets a thing be sent back as it was read, and spares keys that are bound to an advertiser naming it. */
function prepareBody<K extends Kind, Input extends object>(request: FastifyRequest, noun: Noun<K, Input>): void {
  const { body } = request;
  if (!isObject(body)) return;
  for (const name of [...READ_ONLY, ...(noun.shown ?? [])]) delete body[name];
  if (request.method === 'PUT') dropOwnId(body, (request.params as { id: string }).id);
  const { advertiser } = request.principal;
  if (advertiser !== null && Object.hasOwn(noun.input.properties, 'advertiser')) body['advertiser'] ??= advertiser;
  noun.prepare?.(body);
}

function dropOwnId(body: Record<string, unknown>, id: string): void {
  if (body['id'] === undefined) return;
  if (body['id'] !== id) throw invalid([{ pointer: '/id', code: 'read_only', message: `must be ${id} or absent` }]);
  delete body['id'];
}

async function list<K extends Kind, Input extends object>(deps: DmpDeps, noun: Noun<K, Input>, request: Call): Promise<object> {
  requireScope(request, noun.read);
  const { limit, cursor, ...filters } = request.query;
  const asked = Object.entries(filters).filter(([, value]) => value !== undefined);
  const visible = deps.things.list(noun.kind).filter((thing) => {
    const body = thing.body as Record<string, unknown>;
    return isVisible(deps, noun, thing, request) && asked.every(([name, value]) => body[name] === value);
  });
  const { items, page } = cutPage(visible, limit, cursor);
  return { data: await Promise.all(items.map((thing) => view(deps, noun, thing, request))), page };
}

async function read<K extends Kind, Input extends object>(
  deps: DmpDeps,
  noun: Noun<K, Input>,
  request: Call,
  reply: FastifyReply,
): Promise<unknown> {
  requireScope(request, noun.read);
  const thing = find(deps, noun, request);
  reply.header('etag', etagOf(thing));
  if (isFresh(request, thing)) return reply.code(304).send();
  return view(deps, noun, thing, request);
}

async function create<K extends Kind, Input extends object>(
  deps: DmpDeps,
  noun: Noun<K, Input>,
  request: Call,
  reply: FastifyReply,
): Promise<object> {
  requireScope(request, noun.write);
  const { id: given, ...input } = request.body as { id?: string } & Input;
  const id = given ?? newId(noun.prefix ?? '', idempotencySeed(request));
  const made = await make(deps, noun, request, reply, id, input as unknown as Input);
  if (made !== null) return made;
  const existing = deps.things.get(noun.kind, id);
  // The same call, cut off after its write: it finds what it made.
  if (given === undefined && existing !== undefined) return answer(deps, noun, existing, request, reply, 201);
  throw new Problem(409, 'exists', `There is a ${noun.title} with this id already`, {
    errors: [{ pointer: '/id', code: 'exists', message: `${id} is taken` }],
  });
}

async function replace<K extends Kind, Input extends object>(
  deps: DmpDeps,
  noun: Noun<K, Input>,
  request: Call,
  reply: FastifyReply,
): Promise<object> {
  requireScope(request, noun.write);
  const input = request.body as Input;
  if (deps.things.get(noun.kind, request.params.id) !== undefined) return change(deps, noun, request, reply, () => input);
  if (request.headers['if-match'] !== '*') expectAbsent(request);
  const made = await make(deps, noun, request, reply, request.params.id, input);
  if (made === null) throw stale(deps.things.get(noun.kind, request.params.id)?.revision ?? 0);
  return made;
}

async function patch<K extends Kind, Input extends object>(
  deps: DmpDeps,
  noun: Noun<K, Input>,
  request: Call,
  reply: FastifyReply,
): Promise<object> {
  requireScope(request, noun.write);
  if (isObject(request.body)) noun.prepare?.(request.body);
  return change(deps, noun, request, reply, (current) => {
    const merged = mergePatch(structuredClone(inputOf(noun, current)), request.body) as Record<string, unknown>;
    for (const name of [...READ_ONLY, ...(noun.shown ?? [])]) delete merged[name];
    dropOwnId(merged, current.id);
    const validate = request.compileValidationSchema(noun.input, 'body');
    if (validate(merged) !== true) throw invalid(faultsOf(validate.errors ?? []));
    return merged as Input;
  });
}

async function remove<K extends Kind, Input extends object>(
  deps: DmpDeps,
  noun: Noun<K, Input>,
  request: Call,
  reply: FastifyReply,
): Promise<FastifyReply> {
  requireScope(request, noun.write);
  const thing = findOwn(deps, noun, request);
  const expected = expectedRevision(request, thing);
  const users = (): Fault[] =>
    usersOf(deps.things, noun.kind, thing.id).map((user) => ({
      pointer: '',
      code: 'in_use',
      message: `${user.kind} ${user.id} refers to it`,
    }));
  const expectFree = (holds: readonly Fault[]): void => {
    if (holds.length > 0) throw new Problem(409, 'in_use', `The ${noun.title} is in use`, { errors: holds.slice(0, 100) });
  };
  expectFree([...users(), ...((await noun.holds?.(thing, deps)) ?? [])]);
  if (request.query.validateOnly !== true)
    await deps.things.remove(noun.kind, thing.id, {
      actor: request.principal.id,
      still: () => expectFree(users()),
      ...(expected === undefined ? {} : { expected }),
    });
  return reply.code(204).send();
}

/** Makes a thing; null where there is one of this id. */
async function make<K extends Kind, Input extends object>(
  deps: DmpDeps,
  noun: Noun<K, Input>,
  request: Call,
  reply: FastifyReply,
  id: string,
  input: Input,
): Promise<object | null> {
  const context: NounContext<K> = { deps, principal: request.principal, id, current: undefined };
  await expectAllowed(noun, input, context);
  if (deps.things.get(noun.kind, id) !== undefined) return null;
  if (request.query.validateOnly === true) return { id, ...without(input, noun.writeOnly) };
  const issued = noun.issue?.(input, context);
  const body = issued?.body ?? (await kept(noun, input, context));
  try {
    const write = { actor: request.principal.id, expected: 0, ...stillOf(noun, input, context) };
    const thing = await deps.things.put(noun.kind, id, body, write);
    return { ...(await answer(deps, noun, thing, request, reply, 201)), ...issued?.once };
  } catch (error) {
    if (error instanceof RevisionConflict) return null;
    throw error;
  }
}

/** Changes the thing of the address to what `next` makes of it. */
async function change<K extends Kind, Input extends object>(
  deps: DmpDeps,
  noun: Noun<K, Input>,
  request: Call,
  reply: FastifyReply,
  next: (current: Thing<ThingBodies[K]>) => Input,
): Promise<object> {
  for (let turn = 1; ; turn++) {
    const current = findOwn(deps, noun, request);
    const anyRevision = expectedRevision(request, current) === undefined;
    const context: NounContext<K> = { deps, principal: request.principal, id: current.id, current };
    const input = next(current);
    await expectAllowed(noun, input, context);
    if (request.query.validateOnly === true) return { id: current.id, ...without(input, noun.writeOnly) };
    try {
      const write = { actor: request.principal.id, expected: current.revision, ...stillOf(noun, input, context) };
      const thing = await deps.things.put(noun.kind, current.id, await kept(noun, input, context), write);
      return await answer(deps, noun, thing, request, reply, 200);
    } catch (error) {
      if (!(error instanceof RevisionConflict && anyRevision && turn < PATIENCE)) throw error;
    }
  }
}

async function expectAllowed<K extends Kind, Input extends object>(
  noun: Noun<K, Input>,
  input: Input,
  context: NounContext<K>,
): Promise<void> {
  const faults = [...immutableFaults(noun, input, context), ...(await noun.check(input, context))];
  const { advertiser } = context.principal;
  const owner = noun.advertiserOf(input, context.id, context.deps.things);
  if (advertiser !== null && owner !== advertiser && !faults.some((fault) => fault.code.startsWith('unknown_'))) {
    if (!Object.hasOwn(noun.input.properties, 'advertiser'))
      throw new Problem(403, 'forbidden', `A key that is bound to an advertiser cannot make this ${noun.title}`);
    faults.push({ pointer: '/advertiser', code: 'unknown_advertiser', message: 'there is no such advertiser' });
  }
  if (faults.length > 0) throw invalid(faults, `The ${noun.title} is not valid`);
}

/** What two calls at once could both pass by `check` alone. */
function stillOf<K extends Kind, Input extends object>(
  noun: Noun<K, Input>,
  input: Input,
  context: NounContext<K>,
): Pick<Write, 'still'> {
  const { still } = noun;
  if (still === undefined) return {};
  return {
    still: () => {
      const faults = still(input, context);
      if (faults.length > 0) throw invalid(faults, `The ${noun.title} is not valid`);
    },
  };
}

function immutableFaults<K extends Kind, Input extends object>(
  noun: Noun<K, Input>,
  input: Input,
  { current }: NounContext<K>,
): Fault[] {
  if (current === undefined) return [];
  const before = current.body as unknown as Record<string, unknown>;
  const after = input as Record<string, unknown>;
  return (noun.immutable ?? []).flatMap((name) =>
    // What an old revision does not have is null.
    (before[name] ?? null) === (after[name] ?? null)
      ? []
      : [{ pointer: `/${name}`, code: 'immutable' as const, message: 'cannot be changed' }],
  );
}

async function kept<K extends Kind, Input extends object>(
  noun: Noun<K, Input>,
  input: Input,
  context: NounContext<K>,
): Promise<ThingBodies[K]> {
  return noun.store === undefined ? (input as unknown as ThingBodies[K]) : noun.store(input, context);
}

/** 404 both where there is none and where it is another advertiser's. */
function find<K extends Kind, Input extends object>(deps: DmpDeps, noun: Noun<K, Input>, request: Call): Thing<ThingBodies[K]> {
  const thing = deps.things.get(noun.kind, request.params.id);
  if (thing === undefined || !isVisible(deps, noun, thing, request)) throw notFound(noun.title);
  return thing;
}

/** As `find`, for a change: what is nobody's may be seen, but not changed, by a key that is bound to an advertiser. */
function findOwn<K extends Kind, Input extends object>(
  deps: DmpDeps,
  noun: Noun<K, Input>,
  request: Call,
): Thing<ThingBodies[K]> {
  const thing = find(deps, noun, request);
  const { advertiser } = request.principal;
  if (advertiser !== null && ownerOf(deps, noun, thing) !== advertiser)
    throw new Problem(403, 'forbidden', `A key that is bound to an advertiser cannot change this ${noun.title}`);
  return thing;
}

function isVisible<K extends Kind, Input extends object>(
  deps: DmpDeps,
  noun: Noun<K, Input>,
  thing: Thing<ThingBodies[K]>,
  { principal }: FastifyRequest,
): boolean {
  return noun.visible?.(thing, principal) ?? maySee(principal, ownerOf(deps, noun, thing));
}

function ownerOf<K extends Kind, Input extends object>(
  deps: DmpDeps,
  noun: Noun<K, Input>,
  thing: Thing<ThingBodies[K]>,
): string | null {
  return noun.advertiserOf(thing.body as unknown as Input, thing.id, deps.things);
}

async function answer<K extends Kind, Input extends object>(
  deps: DmpDeps,
  noun: Noun<K, Input>,
  thing: Thing<ThingBodies[K]>,
  request: FastifyRequest,
  reply: FastifyReply,
  status: 200 | 201,
): Promise<object> {
  reply.code(status).header('etag', etagOf(thing));
  if (status === 201) reply.header('location', `/v1/${noun.path}/${thing.id}`);
  return view(deps, noun, thing, request);
}

async function view<K extends Kind, Input extends object>(
  deps: DmpDeps,
  noun: Noun<K, Input>,
  thing: Thing<ThingBodies[K]>,
  { principal }: FastifyRequest,
): Promise<object> {
  const all = {
    id: thing.id,
    ...inputOf(noun, thing),
    ...(await noun.show?.(thing, deps, principal)),
    revision: thing.revision,
    createdAt: new Date(thing.createdAt).toISOString(),
    updatedAt: new Date(thing.updatedAt).toISOString(),
  };
  return noun.shownTo?.(all, principal) ?? all;
}

/** The part of a body that users write; what is kept beside it is not shown. */
function inputOf<K extends Kind, Input extends object>(noun: Noun<K, Input>, thing: Thing<ThingBodies[K]>): object {
  const known = noun.input.properties as Record<string, unknown>;
  return Object.fromEntries(Object.entries(thing.body).filter(([name]) => Object.hasOwn(known, name)));
}

function without(input: object, names: readonly string[] = []): object {
  return Object.fromEntries(Object.entries(input).filter(([name]) => !names.includes(name)));
}

function newId(prefix: string, seed: string | null): string {
  const random = seed === null ? randomBytes(9).toString('hex') : createHash('sha256').update(seed).digest('hex').slice(0, 18);
  return `${prefix}${random}`;
}
