import { type PerExposed, perExposed } from './contact.ts';
import type { Difference } from './difference.ts';
import { type Interval, scaled } from './interval.ts';
import { meanDifference } from './mean.ts';
import { detectableDifference, proportionDifference } from './proportion.ts';
import { SRM_ALPHA, sampleRatioP } from './sample-ratio.ts';

/** Fewer than this many people with the outcome in an arm: the normal interval does not hold, and no number is shown. */
export const LEAST_OUTCOMES = 20;
const LEVEL = 0.95;

/** What the decided people of one arm did after their first decision. */
export interface ArmTotals {
  readonly people: number;
  readonly exposed: number;
  readonly visitors: number;
  readonly exposedVisitors: number;
  /** People with a purchase. */
  readonly buyers: number;
  readonly revenueMicros: number;
  /** Sample variance of the revenue per person, micros². */
  readonly revenueVariance: number;
  /** People who have decisions of both arms. */
  readonly crossed: number;
}

export interface LiftInput {
  readonly treated: ArmTotals;
  readonly control: ArmTotals;
  /** Share held out, 0…1; null: the campaign has no holdout. */
  readonly expectedShare: number | null;
  /** The holdout's share or salt was changed while the campaign ran. */
  readonly holdoutChanged: boolean;
  readonly spendMicros: number;
}

export type LiftReason =
  | 'no_holdout'
  | 'sample_ratio_mismatch'
  | 'holdout_changed'
  | 'too_few_outcomes'
  | 'no_variation'
  | 'control_rate_not_told_from_zero'
  | 'weak_contact';

/** A reason as a code and a sentence that says what is missing. */
export interface Why {
  readonly code: LiftReason;
  readonly message: string;
}

export type LiftStatus = 'ok' | 'not_enough_data' | 'invalid';

export interface Arm {
  readonly people: number;
  readonly exposed: number;
  readonly visitors: number;
  readonly buyers: number;
  readonly revenueMicros: number;
}

export interface VisitorLift {
  /** Of shares: 0.01 is one percentage point. */
  readonly difference: Interval;
  readonly relative: Interval;
  /** People: difference × treated people. */
  readonly incremental: Interval;
  readonly pValue: number;
  /** The smallest true difference that arms of this size show in 80 of 100 experiments. */
  readonly detectableDifference: number;
}

export interface RevenueLift {
  readonly perPersonMicros: Interval;
  readonly relative: Interval | null;
  readonly incrementalMicros: Interval;
  readonly pValue: number;
}

/** A part of the lift: its numbers, or why there are none. */
export type Part<Numbers> = { readonly status: 'ok'; readonly reason: null } & Numbers;
export type Missing = { readonly status: Exclude<LiftStatus, 'ok'>; readonly reason: Why };

export interface Lift {
  readonly status: LiftStatus;
  readonly reason: Why | null;
  readonly method: string;
  readonly estimand: string;
  readonly control: 'ghost';
  readonly level: number;
  readonly tails: 2;
  readonly arms: { readonly treated: Arm; readonly control: Arm };
  readonly srm: { readonly expectedShare: number | null; readonly observedShare: number | null; readonly pValue: number | null };
  readonly visitors: VisitorLift | null;
  readonly revenue: Part<RevenueLift> | Missing;
  readonly perExposed: (Part<{ readonly effect: Interval }> | Missing) & { readonly contact: Interval | null };
  /** Micros; `hi` null: no upper limit, since the lift may be nothing. */
  readonly costPerIncrementalVisitor: { readonly point: number; readonly lo: number; readonly hi: number | null } | null;
  /** Made of the same numbers. */
  readonly sentence: string;
  readonly warnings: readonly string[];
}

/** Lift of the treated against the control, by intention to treat: every decided person counts, whether an ad was won or not. */
export function liftOf(input: LiftInput): Lift {
  const { treated, control, expectedShare } = input;
  const people = treated.people + control.people;
  const srmP = expectedShare === null || expectedShare <= 0 ? null : sampleRatioP(treated.people, control.people, expectedShare);
  const missing =
    obstacleOf(input, srmP) ?? shortage('visitors', treated.visitors, control.visitors, treated.people, control.people);
  const visitorsInference = missing === null ? visitorInference(treated, control) : null;
  const failed = missing ?? visitorFailure(visitorsInference);
  const visitors = failed === null ? visitorLift(visitorsInference as Difference, treated, control) : null;
  return {
    status: failed?.status ?? 'ok',
    reason: failed?.reason ?? null,
    method:
      'difference of shares with Wald interval, relative by Fieller; revenue by Welch; per exposed person by Anderson and Rubin',
    estimand: 'intention to treat: decided people, by the arm of their first decision',
    control: 'ghost',
    level: LEVEL,
    tails: 2,
    arms: { treated: shown(treated), control: shown(control) },
    srm: { expectedShare, observedShare: people === 0 ? null : control.people / people, pValue: srmP },
    visitors,
    revenue: revenueLift(input, obstacleOf(input, srmP)),
    perExposed: effectPerExposed(treated, control, failed),
    costPerIncrementalVisitor: visitors === null ? null : costPer(input.spendMicros, visitors.incremental),
    sentence: sentenceOf(failed, visitors),
    warnings: warningsOf(input, srmP),
  };
}

function shown({ people, exposed, visitors, buyers, revenueMicros }: ArmTotals): Arm {
  return { people, exposed, visitors, buyers, revenueMicros };
}

/** Why nothing may be concluded from these arms at all. */
function obstacleOf(input: LiftInput, srmP: number | null): Missing | null {
  if (input.expectedShare === null || input.expectedShare <= 0) {
    return missingOf('not_enough_data', 'no_holdout', 'The campaign holds nobody out, so there is nothing to compare with.');
  }
  if (input.holdoutChanged) {
    const message = 'The holdout’s share or salt was changed while the campaign ran: the arms are not one random split.';
    return missingOf('invalid', 'holdout_changed', message);
  }
  if (srmP !== null && srmP < SRM_ALPHA) {
    const people = input.treated.people + input.control.people;
    const expected = Math.round(people * input.expectedShare);
    const message = `${input.control.people} of ${people} decided people are in the control, ${expected} were expected (p ${srmP.toExponential(1)}).`;
    return missingOf('invalid', 'sample_ratio_mismatch', message);
  }
  return null;
}

/** The normal interval needs enough people with the outcome, and enough without. */
function shortage(what: string, treated: number, control: number, treatedPeople: number, controlPeople: number): Missing | null {
  const arms = [
    { arm: 'treated', having: treated, lacking: treatedPeople - treated },
    { arm: 'control', having: control, lacking: controlPeople - control },
  ];
  for (const { arm, having, lacking } of arms) {
    if (having < LEAST_OUTCOMES) {
      return missingOf(
        'not_enough_data',
        'too_few_outcomes',
        `The ${arm} arm has ${having} ${what}; ${LEAST_OUTCOMES} are needed.`,
      );
    }
    if (lacking < LEAST_OUTCOMES) {
      const message = `Only ${lacking} people of the ${arm} arm are not ${what}; ${LEAST_OUTCOMES} are needed.`;
      return missingOf('not_enough_data', 'too_few_outcomes', message);
    }
  }
  return null;
}

function missingOf(status: Missing['status'], code: LiftReason, message: string): Missing {
  return { status, reason: { code, message } };
}

function visitorInference(treated: ArmTotals, control: ArmTotals): Difference | null {
  return proportionDifference(
    { people: treated.people, outcomes: treated.visitors },
    { people: control.people, outcomes: control.visitors },
    LEVEL,
  );
}

function visitorFailure(inference: Difference | null): Missing | null {
  if (inference === null) return missingOf('not_enough_data', 'no_variation', 'The outcome does not vary.');
  if (inference.relative !== null) return null;
  const message = 'The control’s share of visitors is not told from zero, so a relative lift has no bounds.';
  return missingOf('not_enough_data', 'control_rate_not_told_from_zero', message);
}

function visitorLift(inference: Difference, treated: ArmTotals, control: ArmTotals): VisitorLift {
  return {
    difference: inference.difference,
    relative: inference.relative as Interval,
    incremental: scaled(inference.difference, treated.people),
    pValue: inference.pValue,
    detectableDifference: detectableDifference(
      { people: treated.people, outcomes: treated.visitors },
      { people: control.people, outcomes: control.visitors },
      LEVEL,
    ),
  };
}

function revenueLift({ treated, control }: LiftInput, obstacle: Missing | null): Part<RevenueLift> | Missing {
  // A person without a purchase is an observation too, so only the buyers can be too few.
  const missing =
    obstacle ?? shortage('buyers', treated.buyers, control.buyers, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  if (missing !== null) return missing;
  const inference = meanDifference(sampleOf(treated), sampleOf(control), LEVEL);
  if (inference === null) return missingOf('not_enough_data', 'no_variation', 'The revenue does not vary.');
  return {
    status: 'ok',
    reason: null,
    perPersonMicros: inference.difference,
    relative: inference.relative,
    incrementalMicros: scaled(inference.difference, treated.people),
    pValue: inference.pValue,
  };
}

function sampleOf(arm: ArmTotals) {
  return { people: arm.people, mean: arm.revenueMicros / arm.people, sampleVariance: arm.revenueVariance };
}

function effectPerExposed(treated: ArmTotals, control: ArmTotals, failed: Missing | null): Lift['perExposed'] {
  if (failed !== null) return { ...failed, contact: null };
  const { contact, effect }: PerExposed = perExposed(contactArm(treated), contactArm(control), LEVEL);
  if (effect !== null) return { status: 'ok', reason: null, contact, effect };
  const message = `${(contact.point * 100).toFixed(1)} % of the treated were exposed; with so few the effect per exposed person has no use.`;
  return { ...missingOf('not_enough_data', 'weak_contact', message), contact };
}

function contactArm(arm: ArmTotals) {
  return { people: arm.people, exposed: arm.exposed, outcomes: arm.visitors, exposedOutcomes: arm.exposedVisitors };
}

/** Fixed spend over the limits of the incremental visitors; none where the point is no gain. */
function costPer(spend: number, incremental: Interval): Lift['costPerIncrementalVisitor'] {
  if (incremental.point <= 0) return null;
  return {
    point: spend / incremental.point,
    lo: spend / incremental.hi,
    hi: incremental.lo > 0 ? spend / incremental.lo : null,
  };
}

function sentenceOf(failed: Missing | null, visitors: VisitorLift | null): string {
  if (failed !== null || visitors === null) {
    return `${failed?.status === 'invalid' ? 'Invalid' : 'Not enough data'}: ${failed?.reason.message ?? ''}`;
  }
  const { relative, difference, incremental } = visitors;
  if (difference.lo > 0 || difference.hi < 0) {
    const direction = difference.point > 0 ? 'more' : 'fewer';
    return `${Math.abs(Math.round(incremental.point))} ${direction} visitors than without the ads: ${percent(relative.point)} (95 % interval ${percent(relative.lo)} to ${percent(relative.hi)}).`;
  }
  const detectable = (visitors.detectableDifference * 100).toPrecision(2);
  return `No effect found; the test could detect ${detectable} percentage points or more (95 % interval ${percent(relative.lo)} to ${percent(relative.hi)}).`;
}

const percent = (value: number) => `${value < 0 ? '−' : '+'}${(Math.abs(value) * 100).toFixed(1)} %`;

function warningsOf({ treated, control, expectedShare }: LiftInput, srmP: number | null): string[] {
  const warnings: string[] = [];
  const crossed = treated.crossed + control.crossed;
  if (crossed > 0) warnings.push(`${crossed} people have decisions of both arms and count in that of their first.`);
  if (control.exposed > 0) warnings.push(`${control.exposed} people of the control were exposed.`);
  if (expectedShare !== null && expectedShare > 0 && srmP === null && treated.people + control.people > 0) {
    warnings.push('Too few people to test the sizes of the arms against the holdout.');
  }
  return warnings;
}
