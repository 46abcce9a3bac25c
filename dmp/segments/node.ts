import type { TSchema } from 'typebox';
import type { Fault } from '../problem.ts';
import type { Compiler, LeafPlan } from './plan.ts';

export const LANGUAGES = ['en', 'ru'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Takes what is wrong with a node: its JSON pointer (`pointer` of `check` and below), a code, a sentence. */
export type Faulter = (pointer: string, code: Fault['code'], message: string) => undefined;

export type NamedKind = 'store' | 'store-group' | 'geofence' | 'campaign' | 'list' | 'source' | 'segment' | 'lookalike';

/** The things that a rule may name: those of its segment's advertiser, and shared ones. */
export interface Named {
  has(kind: NamedKind, id: string): boolean;
  /** Of money in rules that name none; null: advertisers have several. */
  readonly currency: string | null;
  /** Whether money can be counted in a currency. */
  hasRate(currency: string): boolean;
}

export interface NodeCheck {
  readonly named: Named;
  readonly fault: Faulter;
}

/** A kind of leaf of the rule language: all that is known of it, in one file. Docs, API schema, checks and the compiler come from here. */
export interface NodeKind<Body> {
  /** One line for docs/segments.md and the API schema. */
  readonly says: string;
  /** Its members, each with a description. */
  readonly fields: Readonly<Record<string, TSchema>>;
  /** Where the body is no object with fields: what it is. */
  readonly whole?: TSchema;
  /** Members that must be there. */
  readonly required?: readonly (keyof Body & string)[];
  /** At least one that passes the check of a world with the demo's things; docs/segments.md shows them, CI runs them. */
  readonly examples: readonly Body[];
  /** What the shape cannot tell: bounds reversed, a store that there is not. The body has its fields' shapes. */
  check(body: Body, pointer: string, check: NodeCheck): void;
  /** Segments that it needs: they are evaluated first, and may not need the one that has it. */
  segments?(body: Body): readonly string[];
  plan(body: Body, compiler: Compiler): LeafPlan;
  /** "bought at least 3 times in the last 30 days": continues "people who …". */
  sentence(body: Body, language: Language): string;
}
