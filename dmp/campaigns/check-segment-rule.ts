import type { Fault } from '../problem.ts';
import { conjunctionOf, MOST_CLAUSES, MOST_LITERALS } from './conjunction.ts';
import type { SegmentRule } from './segment-rule.ts';

const MAX_DEPTH = 20;
const MAX_NODES = 1_000;
/** A profile tells when somebody entered within about the last year. */
const MAX_HOURS = 8_760;
const ID = /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$/;

interface Walk {
  readonly faults: Fault[];
  nodes: number;
}

/** All that is wrong with a rule but which segments there are. Takes anything that JSON can hold. */
export function segmentRuleFaults(rule: unknown, pointer: string): Fault[] {
  const walk: Walk = { faults: [], nodes: 0 };
  checkNode(rule, pointer, 1, walk);
  if (walk.faults.length > 0) return walk.faults;
  const conjunction = conjunctionOf(rule as SegmentRule, pointer);
  if ('clauses' in conjunction) return [];
  const message = `as a conjunction of alternatives it has more than ${MOST_CLAUSES} parts or ${MOST_LITERALS} members; hold fewer "all" within "any"`;
  return [{ pointer: conjunction.tooLarge, code: 'rule_too_large', message }];
}

function checkNode(node: unknown, pointer: string, depth: number, walk: Walk): undefined {
  const fault: Faulter = (at, code, message) => {
    walk.faults.push({ pointer: at, code, message });
  };
  walk.nodes++;
  if (walk.nodes === MAX_NODES + 1) fault(pointer, 'rule_too_large', `a rule holds at most ${MAX_NODES} nodes`);
  if (walk.nodes > MAX_NODES) return;
  if (depth > MAX_DEPTH) return fault(pointer, 'rule_too_deep', `a rule is at most ${MAX_DEPTH} nodes deep`);
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return fault(pointer, 'type', 'a rule is an object');
  const { withinHours, ...kinds } = node as Record<string, unknown>;
  const [kind, ...more] = Object.keys(kinds);
  if (kind === undefined) return fault(pointer, 'too_few_properties', 'a rule has one of all, any, not, segment');
  if (more.length > 0)
    return fault(pointer, 'too_many_properties', `a rule has one member, this has ${more.length + 1}; combine them with all`);
  const inner = `${pointer}/${kind.replaceAll('~', '~0').replaceAll('/', '~1').slice(0, 64)}`;
  const value = kinds[kind];
  if (withinHours !== undefined) checkHours(kind, withinHours, `${pointer}/withinHours`, fault);
  if (kind === 'not') checkNode(value, inner, depth + 1, walk);
  else if (kind === 'all' || kind === 'any') checkGroup(value, inner, depth, walk, fault);
  else if (kind !== 'segment') fault(inner, 'unknown_variant', `there is no rule ${JSON.stringify(kind.slice(0, 64))}`);
  else if (typeof value !== 'string') fault(inner, 'type', 'must be the id of a segment');
  else if (!ID.test(value)) fault(inner, 'pattern', 'is not the id of a segment');
}

type Faulter = (at: string, code: Fault['code'], message: string) => undefined;

function checkGroup(value: unknown, pointer: string, depth: number, walk: Walk, fault: Faulter): undefined {
  if (!Array.isArray(value)) return fault(pointer, 'type', 'must be a list of rules');
  if (value.length === 0) return fault(pointer, 'empty_group', 'must hold at least one rule');
  for (const [index, node] of value.entries()) checkNode(node, `${pointer}/${index}`, depth + 1, walk);
}

function checkHours(kind: string, hours: unknown, pointer: string, fault: Faulter): undefined {
  if (kind !== 'segment') return fault(pointer, 'unknown_property', 'is for a segment only');
  if (typeof hours !== 'number' || !Number.isInteger(hours)) return fault(pointer, 'type', 'must be a whole number of hours');
  if (hours < 1) return fault(pointer, 'minimum', 'must be at least 1');
  if (hours > MAX_HOURS) return fault(pointer, 'maximum', `must be at most ${MAX_HOURS}`);
}
