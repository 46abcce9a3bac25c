import type { Limits, Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import type { Binder } from '../../dmp/segments/binder.ts';
import { type Compiler, type FactsPlan, type Others, VALUES } from '../../dmp/segments/plan.ts';
import { selected } from '../../dmp/segments/sets.ts';
import { thereIs, unitOf } from '../../dmp/segments/unit.ts';
import { isAsked, unitsAsked } from './asked.ts';
import { freeStamp, IN_ORDER } from './leaves.ts';
import { LIMITS } from './limits.ts';
import { inTurns } from './turns.ts';

/** Values of everybody by which leaves compare them. */
export interface Valued {
  /** Under which they are kept. */
  readonly key: string;
  readonly others: Others;
  /** Of which facts they are. */
  readonly rows: string;
}

const COLUMNS = `\`values\`, profile, stamp, ${VALUES.join(', ')}`;
const NONE = "toDateTime64(0, 3, 'UTC'), 0, 0";

/**
 * Brings kept values up to now, of whom is asked (by facts of these kinds) or of everybody (null): first nobody of them has any, then those
 * have who have rows. Written again it comes to the same.
 */
export async function keepValues(
  warehouse: Warehouse,
  { key, others, rows }: Valued,
  compiler: Compiler,
  asked: readonly string[] | null,
  ranges: readonly string[],
  limits: Limits,
): Promise<void> {
  const { bound } = compiler;
  const [unit, there] = [unitOf(compiler), thereIs(compiler)];
  const stamp = await freeStamp(warehouse, 'unit_values');
  const who = asked === null ? '' : ` AND profile IN (${unitsAsked(asked, compiler)})`;
  const none = `INSERT INTO unit_values (${COLUMNS}) SETTINGS insert_deduplicate = 0
    SELECT {key:String}, profile, {stamp:UInt64}, ${NONE} FROM unit_values WHERE \`values\` = {key:String}${who}`;
  await warehouse.command({ sql: none, params: { ...bound.values, key, stamp } }, LIMITS);
  const from = asked === null ? 'facts' : 'segment_facts';
  const theirs = `${asked === null ? '' : isAsked(asked)}${there === '' ? '' : ` AND ${there}`}`;
  await inTurns(ranges, async (range) => {
    const sql = `INSERT INTO unit_values (${COLUMNS}) SETTINGS ${IN_ORDER}
      SELECT {key:String}, unit, {stamp:UInt64}, ${VALUES.join(', ')} FROM (
        SELECT shard, ${unit} AS unit, ${others.values.map((value, n) => `${value} AS ${VALUES[n]}`).join(', ')}
        FROM ${from} WHERE ${rows} AND ${range}${theirs} GROUP BY shard, unit)`;
    await warehouse.command({ sql, params: { ...bound.values, key, stamp: stamp + 1 } }, limits);
  });
}

const KEPT = `SELECT profile, ${VALUES.join(', ')} FROM unit_values FINAL WHERE \`values\` = `;

/** Where among all values each place is that leaves ask for, as expressions. */
export async function askPlaces(warehouse: Warehouse, { key, others }: Valued, bound: Binder): Promise<string[]> {
  const sql = `SELECT ${others.places} FROM (${KEPT}{key:String}) WHERE receipts > 0`;
  const [row] = await warehouse.query<Record<string, string[]>>({ sql, params: { key } }, LIMITS);
  // As texts, since numbers of 64 bits are more than JavaScript's.
  return others.types.map((type, n) => {
    const values = Object.values(row ?? {})[n] ?? [];
    return `CAST(${bound.texts(values.map(String))}, '${type.replaceAll("'", "\\'")}')`;
  });
}

/** The sets of leaves that are asked of the same values, by name. */
export function setsOfValues(
  key: string,
  leaves: ReadonlyMap<string, { readonly plan: FactsPlan; readonly places: readonly string[] }>,
  bound: Binder,
): string {
  const sets = [...leaves.values()].map(({ plan, places }) => `groupBitmapStateIf(profile, ${plan.holds(VALUES, places)})`);
  return selected(sets, [...leaves.keys()], 'profile', `(${KEPT}${bound.add('String', key)})`);
}

export async function dropValues(warehouse: Warehouse, keys: readonly string[]): Promise<void> {
  if (keys.length > 0)
    await warehouse.command({ sql: 'DELETE FROM unit_values WHERE `values` IN {keys:Array(String)}', params: { keys } }, LIMITS);
}
