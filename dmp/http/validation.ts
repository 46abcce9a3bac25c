import { Ajv, type ErrorObject } from 'ajv';
import formats from 'ajv-formats';
import type { FastifySchemaCompiler, FastifyServerOptions } from 'fastify';
import { parseRfc3339 } from '../events/time.ts';
import type { ErrorCode, Fault } from '../problem.ts';
import { NAME_PATTERN } from './schema.ts';

const COMMON = {
  allErrors: true,
  useDefaults: true,
  removeAdditional: false,
  discriminator: true,
  strict: false,
  // Shares of a percent are decimals, which no binary float divides exactly.
  multipleOfPrecision: 9,
} as const;

/** Fastify names these types after the packages that it compiles with by default. */
type Compilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>;

/**
 * Schemas of this app are checked to the last fault (its bodies are bounded and its callers known). Bodies are taken as they
 * are; in addresses and headers, where all is text, numbers and truth values are read.
 */
export const SCHEMA_COMPILERS = {
  buildValidator: (shared: unknown): FastifySchemaCompiler<object> => {
    const schemas = shared as Record<string, object>;
    if (last === null || !sameMembers(last.schemas, schemas)) last = { schemas, compiler: compilerOf(schemas) };
    return last.compiler;
  },
  // What is sent is what the code made; response schemas are documentation.
  buildSerializer: () => () => JSON.stringify,
} as unknown as Compilers;

/** Fastify asks anew for each route, with the same schemas: 150 times two validators are two seconds of every start. */
let last: { readonly schemas: Record<string, object>; readonly compiler: FastifySchemaCompiler<object> } | null = null;

function sameMembers(a: Record<string, object>, b: Record<string, object>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

function compilerOf(schemas: Record<string, object>): FastifySchemaCompiler<object> {
  const body = withFormats(new Ajv({ ...COMMON, coerceTypes: false }));
  const texts = withFormats(new Ajv({ ...COMMON, coerceTypes: 'array' }));
  for (const schema of Object.values(schemas)) body.addSchema(schema);
  return ({ schema, httpPart }) => (httpPart === 'body' || httpPart === undefined ? body : texts).compile(schema);
}

/** Checks values that do not come as the body of a call, in the same way: fills in defaults, returns all faults. */
export function createChecker(schema: object): (value: unknown) => Fault[] {
  const validate = withFormats(new Ajv({ ...COMMON, coerceTypes: false })).compile(schema);
  return (value) => (validate(value) ? [] : faultsOf(validate.errors ?? []));
}

function withFormats(ajv: Ajv): Ajv {
  formats.default(ajv);
  // RFC 3339 as it can be counted with: what has no number here (23:59:60, an offset without minutes) would be a time that is none.
  return ajv.addFormat('date-time', (text) => parseRfc3339(text) !== null);
}

const CODE_OF: Readonly<Record<string, ErrorCode>> = {
  type: 'type',
  required: 'required',
  dependentRequired: 'required',
  additionalProperties: 'unknown_property',
  unevaluatedProperties: 'unknown_property',
  propertyNames: 'unknown_property',
  discriminator: 'unknown_variant',
  enum: 'enum',
  const: 'enum',
  minimum: 'minimum',
  exclusiveMinimum: 'minimum',
  maximum: 'maximum',
  exclusiveMaximum: 'maximum',
  multipleOf: 'step',
  minLength: 'too_short',
  minItems: 'too_short',
  maxLength: 'too_long',
  maxItems: 'too_long',
  minProperties: 'too_few_properties',
  maxProperties: 'too_many_properties',
  pattern: 'pattern',
  format: 'format',
  uniqueItems: 'duplicate',
};

const SUMMARIES = new Set(['anyOf', 'oneOf', 'if', 'not']);
const MOST_FAULTS = 100;

/** What the validator found, as faults. `prefix` goes before each pointer. */
export function faultsOf(errors: readonly Partial<ErrorObject>[], prefix = ''): Fault[] {
  const plain = errors.filter((error) => !SUMMARIES.has(error.keyword ?? ''));
  const shown = plain.length > 0 ? plain : errors;
  return shown.slice(0, MOST_FAULTS).map((error) => faultOf(error, prefix));
}

function faultOf(error: Partial<ErrorObject>, prefix: string): Fault {
  const keyword = error.keyword ?? '';
  const params = (error.params ?? {}) as Record<string, unknown>;
  const member = params['missingProperty'] ?? params['additionalProperty'] ?? params['unevaluatedProperty'];
  const at = `${prefix}${error.instancePath ?? ''}`;
  const pointer = member === undefined ? at : `${at}/${escapePointer(String(member))}`;
  return { pointer, code: CODE_OF[keyword] ?? 'shape', message: messageOf(keyword, params, error.message) };
}

function messageOf(keyword: string, params: Record<string, unknown>, message = 'is not valid'): string {
  if (keyword === 'required') return 'is missing';
  if (keyword === 'additionalProperties') return 'is not a known member';
  if (keyword === 'format' && params['format'] === 'date-time')
    return 'is not a time with a zone, as 2026-03-01T00:00:00Z (RFC 3339)';
  if (keyword === 'pattern' && params['pattern'] === NAME_PATTERN) return 'must be one line with something to be seen in it';
  if (keyword === 'enum') return `must be one of ${JSON.stringify(params['allowedValues'])}`;
  if (keyword === 'discriminator') return `must have a known "${String(params['tag'])}"`;
  return message;
}

/** A name as a segment of a JSON pointer (RFC 6901). */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
