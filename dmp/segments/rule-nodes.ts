import type { Rule } from './rule.ts';

/** A node of a rule, and what the rule is without it. */
export interface RuleNode {
  /** From the body of the call: `/rule/all/0`. */
  readonly pointer: string;
  readonly rule: Rule;
  /** The rule with this node taken out, and with it groups that are empty then; null: nothing is left, so everybody. */
  readonly without: Rule | null;
}

interface Place {
  readonly pointer: string;
  readonly rule: Rule;
  /** The whole rule with something else, or nothing, in this place. */
  readonly put: (other: Rule | null) => Rule | null;
}

/** The nodes of a rule, the upper ones first; no more than `most`. */
export function nodesOf(rule: Rule, most: number): { readonly nodes: RuleNode[]; readonly left: number } {
  const places: Place[] = [{ pointer: '/rule', rule, put: (other) => other }];
  for (let at = 0; at < places.length; at++) places.push(...placesBelow(places[at] as Place));
  const nodes = places.slice(0, most).map(({ pointer, rule: node, put }) => ({ pointer, rule: node, without: put(null) }));
  return { nodes, left: places.length - nodes.length };
}

function placesBelow({ pointer, rule, put }: Place): Place[] {
  if ('not' in rule)
    return [{ pointer: `${pointer}/not`, rule: rule.not, put: (other) => put(other === null ? null : { not: other }) }];
  if ('all' in rule) return childrenOf(rule.all, `${pointer}/all`, (rest) => put(rest.length === 0 ? null : { all: rest }));
  if ('any' in rule) return childrenOf(rule.any, `${pointer}/any`, (rest) => put(rest.length === 0 ? null : { any: rest }));
  return [];
}

function childrenOf(children: readonly Rule[], pointer: string, put: (rest: readonly Rule[]) => Rule | null): Place[] {
  return children.map((rule, index) => ({
    pointer: `${pointer}/${index}`,
    rule,
    put: (other) => put(children.flatMap((child, at) => (at !== index ? [child] : other === null ? [] : [other]))),
  }));
}

/** The different leaves of a rule, in order. */
export function leavesOf(rule: Rule): Rule[] {
  const leaves = new Map<string, Rule>();
  const walk = (node: Rule): void => {
    if ('all' in node) node.all.forEach(walk);
    else if ('any' in node) node.any.forEach(walk);
    else if ('not' in node) walk(node.not);
    else leaves.set(JSON.stringify(node), node);
  };
  walk(rule);
  return [...leaves.values()];
}
