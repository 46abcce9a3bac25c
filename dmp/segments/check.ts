import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import type { Fault } from '../problem.ts';
import { maySeeSource } from '../sources/access.ts';
import type { Things } from '../things/things.ts';
import { LEAVES, type Leaf, MAX_DEPTH, MAX_NODES, type Rule } from './rule.ts';

export interface RuleCheck {
  readonly things: Things;
  /** Whose segment it is: it may refer to its own things and to shared ones only. Null: to all. */
  readonly advertiser: string | null;
  /** Id of the segment that will have the rule, or null. */
  readonly self: string | null;
  /** JSON pointer of the rule. */
  readonly pointer?: string;
}

const GROUPS: readonly string[] = ['all', 'any'];

/** Everything that is wrong with a rule; none: it can be compiled. Takes anything that JSON can hold. */
export function checkRule(rule: unknown, check: RuleCheck): Fault[] {
  const faults: Fault[] = [];
  const walk = { ...check, nodes: 0, fault: faulter(faults) };
  checkNode(rule, check.pointer ?? '/rule', 1, walk);
  return faults;
}

type Faulter = (pointer: string, code: Fault['code'], message: string) => undefined;

interface Walk extends RuleCheck {
  nodes: number;
  readonly fault: Faulter;
}

const faulter =
  (faults: Fault[]): Faulter =>
  (pointer, code, message) => {
    faults.push({ pointer, code, message });
  };

function checkNode(node: unknown, pointer: string, depth: number, walk: Walk): undefined {
  if (++walk.nodes > MAX_NODES) {
    if (walk.nodes === MAX_NODES + 1) walk.fault(pointer, 'rule_too_large', `a rule holds at most ${MAX_NODES} nodes`);
    return;
  }
  if (depth > MAX_DEPTH) return walk.fault(pointer, 'rule_too_deep', `a rule is at most ${MAX_DEPTH} nodes deep`);
  if (!isRecord(node)) return walk.fault(pointer, 'type', 'a rule is an object');
  const kinds = Object.keys(node);
  const [kind] = kinds;
  if (kind === undefined) return walk.fault(pointer, 'too_few_properties', 'a rule has one member that says which it is');
  if (kinds.length > 1)
    return walk.fault(pointer, 'too_many_properties', `a rule has one member, this has ${kinds.length}; combine them with all`);
  const inner = `${pointer}/${escaped(kind)}`;
  const value = node[kind];
  if (GROUPS.includes(kind)) return checkGroup(value, inner, depth, walk);
  if (kind === 'not') return checkNode(value, inner, depth + 1, walk);
  if (kind === 'segment') return checkSegment(value, inner, walk);
  if (Object.hasOwn(LEAVES, kind)) return checkLeaf(kind as Leaf, value, inner, walk);
  walk.fault(inner, 'unknown_variant', `there is no rule ${JSON.stringify(kind.slice(0, 64))}`);
}

function checkGroup(value: unknown, pointer: string, depth: number, walk: Walk): undefined {
  if (!Array.isArray(value)) return walk.fault(pointer, 'type', 'must be a list of rules');
  if (value.length === 0) return walk.fault(pointer, 'empty_group', 'must hold at least one rule');
  for (const [index, node] of value.entries()) checkNode(node, `${pointer}/${index}`, depth + 1, walk);
}

function checkLeaf(leaf: Leaf, value: unknown, pointer: string, walk: Walk): undefined {
  if (!isRecord(value)) return walk.fault(pointer, 'type', 'must be an object');
  const fields = LEAVES[leaf];
  if (leaf === 'attribute' && value['name'] === undefined)
    walk.fault(`${pointer}/name`, 'required', 'the name of the attribute is missing');
  for (const [name, given] of Object.entries(value)) {
    const schema = Object.hasOwn(fields, name) ? fields[name] : undefined;
    const at = `${pointer}/${escaped(name)}`;
    if (schema === undefined) walk.fault(at, 'unknown_property', `${leaf} has no ${JSON.stringify(name.slice(0, 64))}`);
    else if (checkShape(schema, given, at, walk)) checkMeaning(name, given, at, walk);
  }
  if (leaf === 'attribute') checkRange(value, pointer, walk);
}

const CODES: Readonly<Record<string, Fault['code']>> = {
  type: 'type',
  minimum: 'minimum',
  maximum: 'maximum',
  minItems: 'too_short',
  minLength: 'too_short',
  maxItems: 'too_long',
  maxLength: 'too_long',
  pattern: 'pattern',
  boolean: 'unknown_property',
};

/** Whether the value has the shape; the faults name the deepest part that has not. */
function checkShape(schema: TSchema, value: unknown, pointer: string, walk: Walk): boolean {
  if (Value.Check(schema, value)) return true;
  const seen = new Set<string>();
  for (const error of Value.Errors(schema, value)) {
    // A property too many is said once more of its object, a wrong branch once more of the union.
    if (error.keyword === 'additionalProperties' || error.keyword === 'anyOf' || seen.has(error.instancePath)) continue;
    seen.add(error.instancePath);
    const message = error.keyword === 'boolean' ? 'there is no such member' : error.message;
    walk.fault(`${pointer}${error.instancePath}`, CODES[error.keyword] ?? 'shape', message);
  }
  if (seen.size === 0) walk.fault(pointer, 'shape', 'has none of the allowed shapes');
  return false;
}

/** The value has its field's shape; here is what only its meaning can tell. */
function checkMeaning(name: string, value: unknown, pointer: string, walk: Walk): undefined {
  switch (name) {
    case 'count':
    case 'sum':
    case 'days':
    case 'dwell':
      return checkBounds(value as Record<string, unknown>, pointer, walk);
    case 'window':
      return checkWindow(value as { days?: number; from?: string; to?: string }, pointer, walk);
    case 'stores':
      return checkOwned('store', 'unknown_store', value as string[], pointer, walk);
    case 'storeGroups':
      return checkOwned('store-group', 'unknown_store_group', value as string[], pointer, walk);
    case 'geofences':
      return checkOwned('geofence', 'unknown_geofence', value as string[], pointer, walk);
    case 'sources':
      for (const [index, id] of (value as string[]).entries()) {
        const source = walk.things.get('source', id);
        if (source === undefined || !maySeeSource(source, walk.advertiser))
          walk.fault(`${pointer}/${index}`, 'unknown_source', `no source ${id}`);
      }
  }
}

function checkBounds(bounds: Readonly<Record<string, unknown>>, pointer: string, walk: Walk): undefined {
  if (Object.keys(bounds).length === 0) return walk.fault(pointer, 'too_few_properties', 'a measure needs min, max or both');
  return checkRange(bounds, pointer, walk);
}

function checkRange(range: Readonly<Record<string, unknown>>, pointer: string, walk: Walk): undefined {
  const { min, max } = range as { min?: unknown; max?: unknown };
  if (typeof min === 'number' && typeof max === 'number' && min > max)
    walk.fault(pointer, 'range_reversed', `min ${min} is above max ${max}`);
}

function checkWindow(window: { days?: number; from?: string; to?: string }, pointer: string, walk: Walk): undefined {
  const { days, from, to } = window;
  if (days !== undefined && from === undefined && to === undefined) {
    if (days < 1) walk.fault(`${pointer}/days`, 'window_not_positive', `a window of ${days} days holds nothing`);
    return;
  }
  if (days !== undefined || from === undefined || to === undefined)
    return walk.fault(pointer, 'shape', 'a window has either days, or from and to');
  for (const [name, day] of Object.entries({ from, to }))
    if (!isDay(day)) walk.fault(`${pointer}/${name}`, 'format', `${day} is not a day of the calendar`);
  if (from > to) walk.fault(pointer, 'window_reversed', `the window from ${from} ends before it begins, on ${to}`);
}

/** ClickHouse's DateTime64(3) holds 1900 to 2299. */
function isDay(text: string): boolean {
  const at = Date.parse(`${text}T00:00:00Z`);
  return text >= '1900-01-01' && text < '2299-12-31' && !Number.isNaN(at) && new Date(at).toISOString().slice(0, 10) === text;
}

function checkOwned(
  kind: 'store' | 'store-group' | 'geofence',
  code: Fault['code'],
  ids: readonly string[],
  pointer: string,
  walk: Walk,
): undefined {
  for (const [index, id] of ids.entries()) {
    const owner = walk.things.get(kind, id)?.body.advertiser;
    if (owner === undefined || (walk.advertiser !== null && owner !== walk.advertiser))
      walk.fault(`${pointer}/${index}`, code, `no ${kind} ${id}`);
  }
}

function checkSegment(id: unknown, pointer: string, walk: Walk): undefined {
  if (typeof id !== 'string') return walk.fault(pointer, 'type', 'must be the id of a segment');
  if (id === walk.self) return walk.fault(pointer, 'segment_cycle', `the segment ${id} needs itself`);
  const segment = walk.things.get('segment', id);
  const owner = segment?.body.advertiser ?? null;
  if (segment === undefined || (walk.advertiser !== null && owner !== null && owner !== walk.advertiser))
    return walk.fault(pointer, 'unknown_segment', `no segment ${id}`);
  if (walk.self !== null && needs(walk.things, id).has(walk.self))
    walk.fault(pointer, 'segment_cycle', `the segment ${id} needs ${walk.self}, which would need it`);
}

/** Every segment that a segment needs, directly or through others. */
export function needs(things: Things, id: string): Set<string> {
  const found = new Set<string>();
  const open = [id];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const rule = things.get('segment', next)?.body.rule;
    if (rule === undefined) continue;
    for (const reference of referencesOf(rule))
      if (!found.has(reference)) {
        found.add(reference);
        open.push(reference);
      }
  }
  return found;
}

/** The segments that a rule names itself. */
export function referencesOf(rule: Rule): string[] {
  if ('segment' in rule) return [rule.segment];
  if ('not' in rule) return referencesOf(rule.not);
  if ('all' in rule) return rule.all.flatMap(referencesOf);
  if ('any' in rule) return rule.any.flatMap(referencesOf);
  return [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member's name in a JSON pointer (RFC 6901). */
function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1').slice(0, 64);
}
