import { type TObject, type TSchema, Type } from 'typebox';
import type { Kind } from '../things/things.ts';
import type { Noun } from './noun.ts';
import { PageQuery, pageOf } from './page.ts';
import { ID_PATTERN, Id } from './schema.ts';

const CLOSED = { additionalProperties: false } as const;
const ValidateOnly = { validateOnly: Type.Optional(Type.Boolean({ description: 'check all, change nothing' })) };
const IfMatch = Type.Object({ 'if-match': Type.Optional(Type.String({ description: 'ETag of the revision that was read' })) });
const IdempotencyKey = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ description: 'repeats get the first answer' })),
});

/** Every error answer of a route. */
export const PROBLEM_RESPONSES = {
  '4xx': { description: 'Problem', content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } } },
} as const;

/** Schemas of a noun's routes: they check the call, and they are the OpenAPI document. */
export function resourceSchemas<K extends Kind, Input extends object>(noun: Noun<K, Input>) {
  const name = noun.path.replace(/s$/, '').replaceAll(/(^|-)([a-z])/g, (_, _dash, letter: string) => letter.toUpperCase());
  const plural = noun.path.replaceAll(/(^|-)([a-z])/g, (_, _dash, letter: string) => letter.toUpperCase());
  const tags = [noun.path];
  const params = Type.Object({ id: Type.String({ maxLength: 200 }) });
  const view = { $ref: `${name}#` };
  const ok = (status: 200 | 201, description: string) => ({
    [status]: { description, content: { 'application/json': { schema: view } } },
    ...PROBLEM_RESPONSES,
  });
  const filters = Object.fromEntries((noun.filters ?? []).map((member) => [member, Type.Optional(Type.String())]));
  return {
    /** What is shown, shared by all the answers below. */
    view: { $id: name, ...viewOf(noun.input, noun.writeOnly) },
    list: {
      tags,
      operationId: `list${plural}`,
      summary: `List the ${noun.title}s, oldest first`,
      querystring: Type.Object({ ...PageQuery, ...filters }, CLOSED),
      response: {
        200: { description: 'A page', content: { 'application/json': { schema: pageOf(view) } } },
        ...PROBLEM_RESPONSES,
      },
    },
    create: {
      tags,
      operationId: `create${name}`,
      summary: `Create a ${noun.title}`,
      querystring: Type.Object(ValidateOnly, CLOSED),
      headers: IdempotencyKey,
      body: withId(noun.input, noun.prefix === null),
      response: ok(201, 'Created'),
    },
    read: { tags, operationId: `get${name}`, summary: `Read a ${noun.title}`, params, response: ok(200, 'It') },
    replace: {
      tags,
      operationId: `put${name}`,
      summary: `Create or replace a ${noun.title}`,
      params: Type.Object({ id: Type.String({ pattern: ID_PATTERN }) }),
      querystring: Type.Object(ValidateOnly, CLOSED),
      headers: IfMatch,
      body: noun.input,
      response: { ...ok(200, 'Replaced'), ...ok(201, 'Created') },
    },
    patch: {
      tags,
      operationId: `patch${name}`,
      summary: `Change a ${noun.title} by JSON Merge Patch: null deletes, lists are replaced`,
      params,
      querystring: Type.Object(ValidateOnly, CLOSED),
      headers: IfMatch,
      body: Type.Object({}, { description: 'The members that change' }),
      response: ok(200, 'Changed'),
    },
    remove: {
      tags,
      operationId: `delete${name}`,
      summary: `Delete a ${noun.title} that nothing refers to`,
      params,
      querystring: Type.Object(ValidateOnly, CLOSED),
      headers: IfMatch,
      response: { 204: { description: 'Deleted', type: 'null' }, ...PROBLEM_RESPONSES },
    },
  };
}

function withId(input: TObject, required: boolean): TSchema {
  const id = Id('it; made where absent');
  return Type.Object({ id: required ? id : Type.Optional(id), ...input.properties }, CLOSED);
}

function viewOf(input: TObject, hidden: readonly string[] = []): TSchema {
  const made = {
    revision: Type.Integer(),
    createdAt: Type.String({ format: 'date-time' }),
    updatedAt: Type.String({ format: 'date-time' }),
  };
  const shown = Object.fromEntries(Object.entries(input.properties).filter(([name]) => !hidden.includes(name)));
  return Type.Object({ id: Type.String(), ...shown, ...made });
}
