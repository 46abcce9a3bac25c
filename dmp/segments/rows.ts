import { grantedProfiles, refusedProfiles } from '../consents/state.ts';
import type { Compiler } from './plan.ts';
import { sureEnough } from './unit.ts';

/**
 * The condition that every row of `facts` must meet to count: no source has a part in it that is withheld here, what sources with recorded
 * consents brought is of people who agreed, and it is theirs as surely as the rule wants. Empty: all rows count.
 */
export function rowsThatCount(compiler: Compiler): string {
  const { bound, scope } = compiler;
  const { withheld = [], consents } = scope;
  const recorded = consents?.recorded ?? [];
  const conditions: string[] = [];
  if (withheld.length > 0) conditions.push(`NOT ${isOf(bound.texts(withheld))}`);
  if (recorded.length > 0) {
    bindConsents(compiler);
    conditions.push(`(NOT ${isOf(bound.texts(recorded))} OR profile IN (${grantedProfiles('profiles')}))`);
  }
  const sure = sureEnough(compiler);
  if (sure !== '') conditions.push(sure);
  return conditions.join(' AND ');
}

/** The same of visits and positions: where somebody was counts for nothing once they said that their place may not be used. */
export function placesThatCount(compiler: Compiler): string {
  const conditions = [rowsThatCount(compiler)];
  if (compiler.scope.consents !== undefined) {
    bindConsents(compiler);
    conditions.push(`profile NOT IN (${refusedProfiles(['location'])})`);
  }
  return conditions.filter((condition) => condition !== '').join(' AND ');
}

/** Of facts of any kind. */
export function factsThatCount(compiler: Compiler): string {
  const places = placesThatCount(compiler);
  const rows = rowsThatCount(compiler);
  if (places === rows) return rows;
  const placed = `(kind NOT IN ('visit', 'position', 'home', 'work') OR ${places})`;
  return rows === '' ? placed : `${rows} AND ${placed}`;
}

/** A visit is of all the sources in `sources`. */
const isOf = (listed: string): string => `(source IN ${listed} OR hasAny(sources, ${listed}))`;

/** The condition over `profile` that nobody meets who withdrew; empty where nobody's words count. */
export function whoDidNotRefuse(compiler: Compiler): string {
  if (compiler.scope.consents === undefined) return '';
  bindConsents(compiler);
  return `profile NOT IN (${refusedProfiles(['profiles', 'personalised_ads'])})`;
}

/** The parameters that dmp/consents/state.ts names. */
function bindConsents({ bound, scope }: Compiler): void {
  bound.values['audience'] = scope.consents?.audience ?? [];
  bound.values['consentNow'] = scope.now;
}
