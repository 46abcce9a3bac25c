import type { ErrorCode, Fault } from '../problem.ts';

/** What TypeBox says of a value. */
export interface ShapeError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: unknown;
}

const CODE_OF: Readonly<Record<string, ErrorCode>> = {
  type: 'type',
  required: 'required',
  boolean: 'unknown_property',
  enum: 'enum',
  const: 'enum',
  minimum: 'minimum',
  maximum: 'maximum',
  minLength: 'too_short',
  maxLength: 'too_long',
  minItems: 'too_short',
  maxItems: 'too_long',
  minProperties: 'too_few_properties',
  maxProperties: 'too_many_properties',
  propertyNames: 'too_long',
  pattern: 'pattern',
};
/** Said once more of a whole whose part was named. */
const REPEATED: ReadonlySet<string> = new Set(['additionalProperties', 'anyOf', 'oneOf', 'allOf']);
const MAX_FAULTS = 20;

/** Faults of a value's shape, one a place and keyword, in the API's codes. */
export function shapeFaults(errors: readonly ShapeError[]): Fault[] {
  const faults: Fault[] = [];
  const seen = new Set<string>();
  for (const error of errors) {
    if (REPEATED.has(error.keyword)) continue;
    for (const fault of faultsOf(error)) {
      const place = `${fault.pointer} ${fault.code === 'enum' ? 'type' : fault.code}`;
      if (seen.has(place) || faults.length === MAX_FAULTS) continue;
      seen.add(place);
      faults.push(fault);
    }
  }
  return faults;
}

function faultsOf(error: ShapeError): Fault[] {
  const pointer = error.instancePath;
  if (error.keyword === 'required') {
    const { requiredProperties } = error.params as { requiredProperties: readonly string[] };
    return requiredProperties.map((name) => ({ pointer: `${pointer}/${name}`, code: 'required', message: 'is missing' }));
  }
  return [{ pointer, code: codeOf(error), message: messageOf(error) }];
}

function codeOf(error: ShapeError): ErrorCode {
  const { keyword, instancePath } = error;
  if (keyword === 'enum' && /^\/identifiers\/\d+\/kind$/.test(instancePath)) return 'unknown_identifier_kind';
  if (keyword === 'minimum' || keyword === 'maximum') {
    if (instancePath === '/lat') return 'lat_out_of_range';
    if (instancePath === '/lon') return 'lon_out_of_range';
  }
  return CODE_OF[keyword] ?? 'shape';
}

function messageOf(error: ShapeError): string {
  return error.keyword === 'boolean' ? 'there is no such member' : error.message;
}
