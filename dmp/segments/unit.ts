import type { Level } from '../identity/kinds.ts';
import type { Compiler } from './plan.ts';

/**
 * Whose facts are counted together: a number over the columns of `facts`. Who does not belong to the household as surely as the rule wants is
 * a household of their own; their profile is no other household's number, which is that of somebody who belongs to it without doubt.
 */
export function unitOf({ scope, bound }: Compiler): string {
  const { level = 'person' } = scope;
  const sure = percentOf(scope.confidence);
  if (level === 'device') return 'device';
  if (level === 'person') return 'profile';
  return sure === 0 ? 'household' : `if(household_sure >= ${bound.add('UInt8', sure)}, household, profile)`;
}

/** The condition over `facts` of units that there are; empty: all. */
export function thereIs(compiler: Compiler): string {
  if (compiler.scope.level !== 'device') return '';
  const sure = sureEnough(compiler);
  return `device != 0${sure === '' ? '' : ` AND ${sure}`}`;
}

/** The condition that an identifier belongs to the device or the person as surely as the rule wants; empty where it does not ask. */
export function sureEnough({ scope, bound }: Compiler): string {
  const sure = percentOf(scope.confidence);
  return sure === 0 ? '' : `${SURE_COLUMN[scope.level ?? 'person']} >= ${bound.add('UInt8', sure)}`;
}

/**
 * The kinds of identifiers that somebody is known by, of a row of kind 'person'. How surely is in `name` where it is not certain: `cookie:85:95`,
 * of the device and of the person.
 */
export function kindsKnown({ scope, bound }: Compiler): string {
  const kinds = "splitByChar(',', value)";
  const sure = percentOf(scope.confidence);
  if (sure === 0) return kinds;
  const doubted = "arrayFirst(u -> startsWith(u, concat(k, ':')), splitByChar(',', name))";
  const surely = `ifNull(toUInt8OrNull(splitByChar(':', ${doubted})[${scope.level === 'device' ? 2 : 3}]), 100)`;
  return `arrayFilter(k -> ${surely} >= ${bound.add('UInt8', sure)}, ${kinds})`;
}

/** A household's facts are those of its people, each of whom counts with what is surely theirs. */
const SURE_COLUMN: Readonly<Record<Level, string>> = { device: 'device_sure', person: 'person_sure', household: 'person_sure' };

/** @param confidence 0 to 1 */
export function percentOf(confidence = 0): number {
  return Math.round(confidence * 100);
}
