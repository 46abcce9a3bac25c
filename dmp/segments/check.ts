import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import type { Fault } from '../problem.ts';
import type { Things } from '../things/things.ts';
import { namedBy } from './named.ts';
import type { Faulter, NodeCheck, NodeKind } from './node.ts';
import { kindOf, type LeafName, NODES } from './nodes/plan-of.ts';
import { MAX_DEPTH, MAX_NODES, type Rule } from './rule.ts';

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
  const walk = { ...check, named: namedBy(check.things, check.advertiser), nodes: 0, fault: faulter(faults) };
  checkNode(rule, check.pointer ?? '/rule', 1, walk);
  return faults;
}

interface Walk extends RuleCheck, NodeCheck {
  nodes: number;
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
  if (Object.hasOwn(NODES, kind)) return checkLeaf(kind as LeafName, value, inner, walk);
  walk.fault(inner, 'unknown_variant', `there is no rule ${JSON.stringify(kind.slice(0, 64))}`);
}

function checkGroup(value: unknown, pointer: string, depth: number, walk: Walk): undefined {
  if (!Array.isArray(value)) return walk.fault(pointer, 'type', 'must be a list of rules');
  if (value.length === 0) return walk.fault(pointer, 'empty_group', 'must hold at least one rule');
  for (const [index, node] of value.entries()) checkNode(node, `${pointer}/${index}`, depth + 1, walk);
}

function checkLeaf(name: LeafName, body: unknown, pointer: string, walk: Walk): undefined {
  const kind = NODES[name] as unknown as NodeKind<never>;
  const shaped = shapedOf(name, kind, body, pointer, walk);
  if (shaped === null) return;
  for (const segment of kind.segments?.(shaped as never) ?? [])
    if (isCycle(segment, walk))
      return walk.fault(pointer, 'segment_cycle', `the segment ${segment} needs ${walk.self}, which would need it`);
  kind.check(shaped as never, pointer, walk);
}

/** What of a body has its shape: what is misshapen is told, the rest still means something. Null: nothing that can be checked. */
function shapedOf(
  name: LeafName,
  { whole, fields, required = [] }: NodeKind<never>,
  body: unknown,
  pointer: string,
  walk: Walk,
): unknown {
  if (whole !== undefined) return checkShape(whole, body, pointer, walk) ? body : null;
  if (!isRecord(body)) {
    walk.fault(pointer, 'type', 'must be an object');
    return null;
  }
  const missing = (required as readonly string[]).filter((member) => body[member] === undefined);
  for (const member of missing) walk.fault(`${pointer}/${member}`, 'required', `${name} needs a member ${member}`);
  const shaped = Object.entries(body).filter(([member, value]) => {
    const at = `${pointer}/${escaped(member)}`;
    const schema = Object.hasOwn(fields, member) ? fields[member] : undefined;
    if (schema !== undefined) return checkShape(schema, value, at, walk);
    walk.fault(at, 'unknown_property', `${name} has no ${JSON.stringify(member.slice(0, 64))}`);
    return false;
  });
  const isWhole = (required as readonly string[]).every((member) => shaped.some(([given]) => given === member));
  return isWhole ? Object.fromEntries(shaped) : null;
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
  enum: 'enum',
  exclusiveMinimum: 'minimum',
  exclusiveMaximum: 'maximum',
  minProperties: 'too_few_properties',
  required: 'required',
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

/** A segment may need neither itself nor what needs it. */
function isCycle(id: string, { self, things }: Walk): boolean {
  return self !== null && (id === self || needs(things, id).has(self));
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
  if ('not' in rule) return referencesOf(rule.not);
  if ('all' in rule) return rule.all.flatMap(referencesOf);
  if ('any' in rule) return rule.any.flatMap(referencesOf);
  const [kind, body] = kindOf(rule);
  return [...(kind.segments?.(body) ?? [])];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member's name in a JSON pointer (RFC 6901). */
function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1').slice(0, 64);
}
