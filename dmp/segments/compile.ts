import type { Statement } from '../clickhouse/warehouse.ts';
import { whoDidNotRefuse } from './rows.ts';
import type { Rule } from './rule.ts';
import { compileScan, type RowRange, type Scan } from './scan.ts';
import type { RuleScope } from './scope.ts';

/**
 * A rule that `checkRule` has passed → one statement that selects `profile` (UInt32, each once). Every value is a bound
 * parameter; the text is made of constants and parameter names only.
 *
 * A leaf selects the people whose measures lie within all bounds, where a person without a fact measures 0. So a leaf whose
 * bounds take 0 is "all but those whose facts break a bound".
 *
 * @param range conditions over `facts` of whom is asked: `shard < 4` is a sample of a sixteenth
 */
export function compileRule(
  rule: Rule,
  scope: RuleScope,
  range: RowRange = '',
): Statement & { readonly params: Readonly<Record<string, unknown>> } {
  const scan = compileScan([rule], scope);
  return { sql: membersOf(scan, scan.holds[0] as string, range), params: scan.bound.values };
}

/** People of the units of which a condition over the columns of a scan holds, without those who refused. */
export function membersOf(scan: Scan, condition: string, range: RowRange = ''): string {
  const agreed = whoDidNotRefuse(scan.compiler);
  const refused = agreed === '' ? '' : ` AND ${agreed}`;
  if (scan.level === 'person') return `SELECT unit AS profile FROM (${scan.units(range)}) WHERE ${condition}${refused}`;
  const ranged = range === '' ? '' : ` AND ${range}`;
  const units = `SELECT unit FROM (${scan.units(range)}) WHERE ${condition}`;
  return `SELECT DISTINCT profile FROM facts WHERE kind = 'person' AND ${scan.unit} IN (${units})${refused}${ranged}`;
}
