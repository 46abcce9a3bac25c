import { segmentsNeeded } from '../publication/needed.ts';
import { scopeOf } from '../segments/advertiser-scope.ts';
import type { Leaf, Rule } from '../segments/rule.ts';
import type { RuleScope } from '../segments/scope.ts';
import type { Things } from '../things/things.ts';
import { type StreamLeaf, streamLeaf } from './matcher.ts';
import { streamingOf } from './streamable.ts';

/** A segment whose members are added to as events arrive. */
export interface StreamRule {
  /** Of the segment. */
  readonly id: string;
  readonly number: number;
  readonly leaves: readonly StreamLeaf[];
  /** Counters are needed: one event alone never decides. */
  readonly counts: boolean;
  /** Until when the rule holds, epoch ms, given the times of each leaf's newest events; 0: it does not. */
  until(timesOf: (leaf: StreamLeaf) => readonly number[]): number;
}

const STALE_MS = 60_000;

/** Follows the things; rules are made again when they changed, and once a minute, since flights end by themselves. */
export function createStreamRules(things: Things, now: () => number): () => readonly StreamRule[] {
  let rules: readonly StreamRule[] | null = null;
  let made = 0;
  things.onChange(() => {
    rules = null;
  });
  return () => {
    if (rules === null || performance.now() - made > STALE_MS) {
      made = performance.now();
      rules = rulesOf(things, now);
    }
    return rules;
  };
}

function rulesOf(things: Things, now: () => number): StreamRule[] {
  const rules: StreamRule[] = [];
  for (const id of segmentsNeeded(things, now())) {
    const segment = things.get('segment', id)?.body;
    if (segment === undefined || !streamingOf(segment.rule, segment.level, segment.confidence).streams) continue;
    rules.push(streamRule(id, segment.number, segment.rule, scopeOf(things, segment.advertiser, now()), now));
  }
  return rules;
}

function streamRule(id: string, number: number, rule: Rule, scope: RuleScope, now: () => number): StreamRule {
  const leaves: StreamLeaf[] = [];
  const until = nodeOf(rule, scope, now, leaves);
  return { id, number, leaves, counts: leaves.some(({ count }) => count > 1) || hasAll(rule), until };
}

type Until = (timesOf: (leaf: StreamLeaf) => readonly number[]) => number;

function nodeOf(rule: Rule, scope: RuleScope, now: () => number, leaves: StreamLeaf[]): Until {
  if ('all' in rule) {
    const parts = rule.all.map((part) => nodeOf(part, scope, now, leaves));
    return (timesOf) => Math.min(...parts.map((part) => part(timesOf)));
  }
  if ('any' in rule) {
    const parts = rule.any.map((part) => nodeOf(part, scope, now, leaves));
    return (timesOf) => Math.max(...parts.map((part) => part(timesOf)));
  }
  const leaf = streamLeaf(rule as Leaf, scope, now);
  leaves.push(leaf);
  return (timesOf) => leaf.until(timesOf(leaf));
}

function hasAll(rule: Rule): boolean {
  if ('all' in rule) return rule.all.length > 1 || rule.all.some(hasAll);
  return 'any' in rule && rule.any.some(hasAll);
}
