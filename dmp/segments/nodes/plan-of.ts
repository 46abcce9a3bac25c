import type { NodeKind } from '../node.ts';
import type { Compiler, LeafPlan } from '../plan.ts';
import { type Actions, actions } from './actions.ts';
import { type Attribute, attribute } from './attribute.ts';
import { type Exposures, exposures } from './exposures.ts';
import { type Holdout, holdout } from './holdout.ts';
import { type Identifiers, identifiers } from './identifiers.ts';
import { list } from './list.ts';
import { type Lookalike, lookalike } from './lookalike.ts';
import { type Area, home, type Near, near, work } from './near.ts';
import { type Pages, pages } from './pages.ts';
import { type Purchases, purchases } from './purchases.ts';
import { type Redemptions, redemptions } from './redemptions.ts';
import { type Rfm, rfm } from './rfm.ts';
import { type Rhythm, rhythm } from './rhythm.ts';
import { type Sample, sample } from './sample.ts';
import { segment } from './segment.ts';
import { type Sequence, sequence } from './sequence.ts';
import { type Share, share } from './share.ts';
import { type Showrooming, showrooming } from './showrooming.ts';
import { type Trend, trend } from './trend.ts';
import { type Visits, visits } from './visits.ts';

/** What each kind of leaf holds. A new kind is a line here and one in NODES. */
export interface Bodies {
  readonly purchases: Purchases;
  readonly visits: Visits;
  readonly redemptions: Redemptions;
  readonly pages: Pages;
  readonly actions: Actions;
  readonly exposures: Exposures;
  readonly attribute: Attribute;
  readonly sequence: Sequence;
  readonly rfm: Rfm;
  readonly share: Share;
  readonly trend: Trend;
  readonly showrooming: Showrooming;
  readonly rhythm: Rhythm;
  readonly near: Near;
  readonly home: Area;
  readonly work: Area;
  readonly identifiers: Identifiers;
  readonly sample: Sample;
  readonly holdout: Holdout;
  readonly lookalike: Lookalike;
  readonly list: string;
  readonly segment: string;
}

export type LeafName = keyof Bodies;
/** A rule that is no group: one member, that says which kind it is. */
export type Leaf = { [K in LeafName]: { readonly [P in K]: Bodies[K] } }[LeafName];

/** All kinds of leaves. Checks, the compiler, sentences, the API's schema and docs/segments.md come from here. */
export const NODES: { readonly [K in LeafName]: NodeKind<Bodies[K]> } = {
  purchases,
  visits,
  redemptions,
  pages,
  actions,
  exposures,
  attribute,
  sequence,
  rfm,
  share,
  trend,
  showrooming,
  rhythm,
  near,
  home,
  work,
  identifiers,
  sample,
  holdout,
  lookalike,
  list,
  segment,
};

export function planOf(leaf: Leaf, compiler: Compiler): LeafPlan {
  const [kind, body] = kindOf(leaf);
  return kind.plan(body, compiler);
}

/** A leaf's kind and body, which fit each other. */
export function kindOf(leaf: Leaf): readonly [kind: NodeKind<never>, body: never] {
  const [name, body] = Object.entries(leaf)[0] as [LeafName, never];
  return [NODES[name] as unknown as NodeKind<never>, body];
}
