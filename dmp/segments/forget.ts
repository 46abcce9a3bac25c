import type { Limits, Warehouse } from '../clickhouse/warehouse.ts';
import { MOST_DAYS } from '../sources/retention.ts';
import type { SourceKind } from '../sources/source.ts';

const LIMITS: Limits = { seconds: 600, memoryBytes: 4 * 1024 ** 3 };
const DAY_MS = 86_400_000;
/** Ad events and visits are of no kind of source; they are kept as long as their tables do. */
const OF_TABLES_DAYS = 396;

/** The facts that rows of a kind are made into; those of pings are where devices were, live and work. */
const FACTS_OF: Readonly<Partial<Record<SourceKind, readonly string[]>>> = {
  purchase: ['purchase'],
  redemption: ['redemption'],
  page: ['page'],
  action: ['action'],
  identify: ['attribute'],
  ping: ['position', 'home', 'work'],
};

/** Takes facts of rows that came in before the cutoff out, as retention does with the rows; whose they are is asked again. */
export async function forgetPast(warehouse: Warehouse, source: string, kind: SourceKind, cutoff: number): Promise<void> {
  const kinds = FACTS_OF[kind];
  if (kinds === undefined) return;
  // Attributes have the time of their event only, by which their rows go too.
  const time = kind === 'identify' ? 'at' : 'arrived';
  const where = `toString(kind) IN {kinds:Array(String)} AND (source = {source:String} OR sources = [{source:String}])
    AND ${time} < fromUnixTimestamp64Milli({cutoff:Int64})`;
  await forget(warehouse, where, { kinds, source, cutoff });
}

/** Takes all facts of a source out, and visits, homes and places of work that it has a part in. */
export async function forgetSource(warehouse: Warehouse, source: string): Promise<void> {
  await forget(warehouse, 'source = {source:String} OR has(sources, {source:String})', { source });
}

/** Takes facts out whose rows the tables do not keep any longer. */
export async function forgetAged(warehouse: Warehouse, now: number): Promise<void> {
  const ages = Object.entries(FACTS_OF).flatMap(([kind, kinds]) => {
    const days = MOST_DAYS[kind as SourceKind];
    return days === null ? [] : [{ kinds, cutoff: now - days * DAY_MS }];
  });
  ages.push({ kinds: ['visit', 'impression', 'click'], cutoff: now - OF_TABLES_DAYS * DAY_MS });
  for (const age of ages)
    await forget(
      warehouse,
      'toString(kind) IN {kinds:Array(String)} AND arrived < fromUnixTimestamp64Milli({cutoff:Int64})',
      age,
    );
}

/** First it is written down whose facts change, so that what is cut off in between is asked again at the worst. */
async function forget(warehouse: Warehouse, where: string, params: Readonly<Record<string, unknown>>): Promise<void> {
  const [row] = await warehouse.query<{ n: string }>({ sql: `SELECT count() AS n FROM facts WHERE ${where}`, params }, LIMITS);
  if (row?.n === '0') return;
  const touch = `INSERT INTO touches (shard, profile, fold) SETTINGS insert_deduplicate = 0
    SELECT DISTINCT shard, profile, (SELECT max(fold) + 1 FROM touches) FROM facts
    WHERE kind = 'person' AND household IN (SELECT household FROM facts WHERE ${where})`;
  await warehouse.command({ sql: touch, params }, LIMITS);
  await warehouse.command({ sql: `DELETE FROM facts WHERE ${where}`, params }, LIMITS);
  await warehouse.command({ sql: 'ALTER TABLE facts APPLY DELETED MASK SETTINGS mutations_sync = 2' }, LIMITS);
}
