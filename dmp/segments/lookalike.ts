import { type Static, Type } from 'typebox';
import { Id, Name, nullable } from '../http/schema.ts';
import { Rule } from './rule.ts';

/** A model that tells who resembles the members of a segment. Rules select by it: the node `lookalike`. */
export const LookalikeInput = Type.Object(
  {
    advertiser: nullable(Id('its advertiser'), { default: null, description: 'null: shared by all' }),
    name: Name,
    seed: Id('the segment whose members are to be resembled, 100 at least'),
    population: nullable(Rule, { default: null, description: 'a rule: among whom they are looked for; null: everybody known' }),
    refitHours: Type.Integer({ minimum: 1, maximum: 8_760, default: 24, description: 'it is fitted anew this often' }),
  },
  { additionalProperties: false },
);
export type LookalikeInput = Static<typeof LookalikeInput>;

export type Lookalike = LookalikeInput;

/** A number that a sample tells, with its 95 % interval. */
export interface Told {
  readonly value: number;
  readonly lo: number;
  readonly hi: number;
}

/** One place of the slider: how large, and how good the people are who are taken by it. */
export interface CurvePoint {
  /** People, seeds not among them. */
  readonly size: number;
  /** The least similarity among them, 0 to 1. */
  readonly similarity: number;
  /** How many times as often a seed that the model has not seen is taken as anybody. */
  readonly lift: Told;
  /** Share of the seeds that it has not seen who are taken. */
  readonly recall: Told;
}

/** What the newest fit came to. */
export interface LookalikeFit {
  /** Of the scores, epoch ms of its beginning; that of the fit before where this one failed. */
  readonly version: number;
  readonly at: number;
  readonly seconds: number;
  /** Why there is no model; null: there is one. */
  readonly refused: LookalikeRefusal | null;
  readonly seeds: number;
  readonly population: number;
  readonly features: number;
  /** People who measure it: each by a model that was fitted without the person's household. */
  readonly heldOut: { readonly seeds: number; readonly others: number } | null;
  readonly auc: Told | null;
  readonly curve: readonly CurvePoint[];
  /** What speaks for and against most, in the order of its weight. */
  readonly weights: readonly { readonly feature: string; readonly weight: number }[];
}

export type LookalikeRefusal =
  | 'seed_too_small'
  | 'sensitive_seed'
  | 'seed_not_evaluated'
  | 'population_too_small'
  | 'nothing_known';

/** Fewer are too few to learn from, and to hide among. */
export const LEAST_SEEDS = 100;
