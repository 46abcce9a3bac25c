import type { Warehouse } from '../clickhouse/warehouse.ts';
import { dateTime } from './people.ts';

/**
 * Whether the campaign's holdout got another share or salt between its first decision and the report's end: its arms are then
 * several splits in one. Turning a holdout off and on again keeps the split.
 */
export async function holdoutChanged(
  warehouse: Warehouse,
  campaign: string,
  firstDecision: number | null,
  to: number,
): Promise<boolean> {
  if (firstDecision === null) return false;
  const revisions = await warehouse.query<{ before: number; body: string }>({
    sql: `SELECT at <= {first:DateTime64(3, 'UTC')} AS before, body FROM revisions FINAL
      WHERE kind = 'campaign' AND id = {campaign:String} AND deleted = 0 AND at < {to:DateTime64(3, 'UTC')} ORDER BY revision`,
    params: { campaign, first: dateTime(firstDecision), to: dateTime(to) },
  });
  const start = revisions.findLastIndex((revision) => revision.before === 1);
  const splits = revisions.slice(Math.max(0, start)).flatMap(({ body }) => splitOf(body));
  return new Set(splits).size > 1;
}

function splitOf(body: string): string[] {
  const { holdout } = JSON.parse(body) as { holdout?: { percent: number; salt?: string } | null };
  return holdout === null || holdout === undefined ? [] : [`${holdout.percent}:${holdout.salt ?? ''}`];
}
