import { createHash } from 'node:crypto';
import type { Level } from '../../dmp/identity/kinds.ts';
import { scopeOf } from '../../dmp/segments/advertiser-scope.ts';
import { referencesOf } from '../../dmp/segments/check.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { compileScan } from '../../dmp/segments/scan.ts';
import type { RuleScope } from '../../dmp/segments/scope.ts';
import type { Segment } from '../../dmp/segments/segment.ts';
import type { Thing, Things } from '../../dmp/things/things.ts';
import type { Evaluated, EvaluatedStates } from './state.ts';
import { commonWants, type Want, wantsOf } from './wants.ts';

/** A segment whose turn it is. */
export interface Turn {
  readonly id: string;
  readonly revision: number;
  readonly rule: Rule;
  readonly level: Level;
  /** How surely facts must be theirs, 0 to 1. */
  readonly confidence: number;
  readonly advertiser: string | null;
  /** Of what the rule comes to, wherever that is written: stores of a group, sources, rates. */
  readonly digest: string;
  readonly nested: readonly string[];
  /** The sets of its leaves, by the leaf as JSON. */
  readonly wants: ReadonlyMap<string, Want>;
  /** Those that every rule of its scope needs. */
  readonly common: readonly Want[];
  readonly before: Evaluated | undefined;
  /** Its members of before are of another rule, or of nothing. */
  readonly isWhole: boolean;
  /** It failed the last time. */
  readonly isSuspect: boolean;
}

/** Any time, so that what a rule comes to does not change with the clock. */
export const SOME_TIME = Date.UTC(2026, 0, 1);

/** What segments share whose rules mean the same things. */
interface Shared {
  /** Of another name where anything but the stores, campaigns and places that it looks up is another. */
  readonly name: string;
  readonly scope: RuleScope;
  readonly common: readonly Want[];
}
export type SharedBy = (segment: Pick<Segment, 'advertiser' | 'level' | 'confidence'>) => Shared;

/** Made once of as many segments as share it: it goes through all stores, sources and advertisers. Good for as long as these are the same. */
export function sharedIn(things: Things): SharedBy {
  const known = new Map<string, Shared>();
  return ({ advertiser, level = 'person', confidence = 0 }) => {
    const key = JSON.stringify([advertiser, level, confidence]);
    const found = known.get(key);
    if (found !== undefined) return found;
    const scope = { ...scopeOf(things, advertiser, SOME_TIME), level, confidence };
    const shared = { name: JSON.stringify([advertiser, scope]), scope, common: commonWants(scope) };
    known.set(key, shared);
    return shared;
  };
}

/** Null: the rule cannot be compiled. */
export function turnOf(sharedBy: SharedBy, segment: Thing<Segment>, states: EvaluatedStates, rebuilt: number): Turn | null {
  const { id, revision, body } = segment;
  const before = states.known.get(id);
  const { rule, level = 'person', confidence = 0, advertiser } = body;
  try {
    const { scope, common } = sharedBy(body);
    const scan = compileScan([rule], scope);
    const text = JSON.stringify([level, confidence, scan.units(''), scan.holds, scan.bound.values]);
    const digest = createHash('sha1').update(text).digest('base64');
    const nested = [...new Set(referencesOf(rule))];
    const isWhole = before === undefined || before.digest !== digest || before.fold < rebuilt || before.sets === undefined;
    return {
      id,
      revision,
      rule,
      level,
      confidence,
      advertiser,
      digest,
      nested,
      wants: wantsOf(rule, scope),
      common,
      before,
      isWhole,
      isSuspect: states.failed.has(id),
    };
  } catch {
    return null;
  }
}

/** Turns that one pass can take: of one scope, and of members of the same time. */
export function passesOf(turns: readonly Turn[], most: number): Turn[][] {
  const groups = new Map<string, Turn[]>();
  for (const turn of turns) {
    const { advertiser, level, confidence, isWhole, isSuspect, before } = turn;
    const key = JSON.stringify([advertiser, level, confidence, isWhole || [before?.fold, before?.at], isSuspect && turn.id]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [turn]);
    else group.push(turn);
  }
  return [...groups.values()].flatMap((group) => chunksOf(group, most));
}

function chunksOf(turns: readonly Turn[], most: number): Turn[][] {
  const chunks: Turn[][] = [];
  let nodes = 0;
  for (const turn of turns) {
    const weight = isPlain(turn) ? PLAIN : weightOf(turn.rule);
    const open = chunks.at(-1);
    if (open === undefined || nodes + weight > most) {
      chunks.push([turn]);
      nodes = weight;
    } else {
      open.push(turn);
      nodes += weight;
    }
  }
  return chunks;
}

/** Of a pass: its statements grow by a value only. With 100,000 in a pass one of them takes minutes. */
const PLAIN = 0.05;

/** Its members are those of one set, which is found with others: as those of most small segments. */
export function isPlain({ rule, wants, level }: Turn): boolean {
  return level === 'person' && wants.get(JSON.stringify(rule))?.isLookup === true;
}

/** Leaves, and what their text takes. */
function weightOf(rule: Rule): number {
  if ('all' in rule) return rule.all.reduce((sum, part) => sum + weightOf(part), 0);
  if ('any' in rule) return rule.any.reduce((sum, part) => sum + weightOf(part), 0);
  if ('not' in rule) return weightOf(rule.not);
  return 1 + JSON.stringify(rule).length / 2_000;
}

export function scopeFor(
  things: Things,
  { advertiser, level, confidence }: Pick<Turn, 'advertiser' | 'level' | 'confidence'>,
  now: number,
): RuleScope {
  return { ...scopeOf(things, advertiser, now), level, confidence };
}
