import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { KIND_NAMES } from '../../dmp/identity/kinds.ts';
import { isBridge } from '../../proto/pepper.ts';
import { type Conditions, LIFETIMES, LIMITS, liveLinks, liveParams } from './read.ts';
import { mostOf } from './resolve.ts';

/** Rows become visible a little after the time they carry; what is read twice changes nothing. */
const OVERLAP_MS = 120_000;
const DAY_MS = 86_400_000;

/** What the last run had taken in. */
export interface Since {
  /** Newest link that it saw, epoch ms. */
  readonly seen: number;
  /** When a run met that link first. */
  readonly met: number;
  /** When it ran: what ran out by then was taken out. */
  readonly ran: number;
  readonly revoked: readonly string[];
}

/**
 * Writes down the identifiers that a link came to or went from: named or withdrawn since, run out since, or of a source whose
 * contract ended or began again. Returns how many there are.
 */
export async function touch(warehouse: Warehouse, since: Since, { now, revoked }: Conditions): Promise<number> {
  await warehouse.command({ sql: 'TRUNCATE TABLE identity_scope' });
  const turned = [...revoked, ...since.revoked].filter((id) => revoked.includes(id) !== since.revoked.includes(id));
  const ranges = LIFETIMES.map(
    (days) =>
      `named > fromUnixTimestamp64Milli({ran:Int64} - ${days * DAY_MS}) AND named <= fromUnixTimestamp64Milli({now:Int64} - ${days * DAY_MS})`,
  );
  const sql = `INSERT INTO identity_scope SELECT DISTINCT node FROM links
    WHERE named >= fromUnixTimestamp64Milli({seen:Int64}) OR withdrawn >= fromUnixTimestamp64Milli({seen:Int64})
      OR source IN {turned:Array(String)} OR ${ranges.join(' OR ')}`;
  // A clock that was set back must not bring a range of less than nothing.
  // What was the newest for so long has nothing behind it that is still on its way.
  const seen = since.ran - since.met >= OVERLAP_MS ? since.seen + 1 : since.seen - OVERLAP_MS;
  const params = { seen: Math.max(1, seen), ran: Math.min(since.ran, now) - 1_000, now, turned };
  await warehouse.command({ sql, params }, LIMITS);
  return countScope(warehouse);
}

/** Adds all that hung together with what is in the scope when it was resolved last. Returns how many there are then. */
export async function close(warehouse: Warehouse): Promise<number> {
  const clusters = `SELECT argMax(cluster, version) FROM identities
    WHERE identifier IN (SELECT identifier FROM identity_scope) GROUP BY identifier`;
  const sql = `INSERT INTO identity_scope SELECT identifier FROM identities
    WHERE identifier IN (SELECT identifier FROM identities WHERE cluster IN (${clusters}))
      AND identifier NOT IN (SELECT identifier FROM identity_scope)
    GROUP BY identifier HAVING argMax(cluster, version) IN (${clusters})`;
  await warehouse.command({ sql }, LIMITS);
  return countScope(warehouse);
}

/**
 * Of the identifiers in the scope that were shared: those that still are, whose thousands of links need not be read. Where one is
 * not any more its neighbours come into the scope; `freed` says that there was one.
 */
export async function stillShared(warehouse: Warehouse, conditions: Conditions): Promise<{ still: string[]; freed: boolean }> {
  const shared = `SELECT identifier FROM identities WHERE identifier IN (SELECT identifier FROM identity_scope)
    GROUP BY identifier HAVING argMax(shared, version) = 1`;
  const all = await warehouse.query<{ identifier: string }>({ sql: shared }, LIMITS);
  if (all.length === 0) return { still: [], freed: false };
  const params = { ...liveParams(conditions), all: all.map(({ identifier }) => identifier) };
  const sql = `SELECT node, max(node_kind) AS kind, other_kind AS other, uniqExact(neighbour) AS n
    FROM (${liveLinks(`node IN {all:Array(UUID)} AND node != neighbour AND NOT ${isBridge('source')}`)}) GROUP BY node, other`;
  const rows = await warehouse.query<{ node: string; kind: string; other: string; n: string }>({ sql, params }, LIMITS);
  const still = new Set<string>();
  for (const { node, kind, other, n } of rows) if (Number(n) > mostOf(codeOf(kind), codeOf(other))) still.add(node);
  const freed = params.all.filter((node) => !still.has(node));
  if (freed.length > 0) {
    const insert = `INSERT INTO identity_scope SELECT DISTINCT neighbour FROM links
      WHERE node IN {freed:Array(UUID)} AND neighbour NOT IN (SELECT identifier FROM identity_scope)`;
    await warehouse.command({ sql: insert, params: { freed } }, LIMITS);
  }
  return { still: [...still], freed: freed.length > 0 };
}

export async function addToScope(warehouse: Warehouse, identifiers: readonly string[]): Promise<void> {
  await warehouse.insert(
    'identity_scope',
    identifiers.map((identifier) => ({ identifier })),
  );
}

const codeOf = (kind: string): number => Math.max(0, (KIND_NAMES as readonly string[]).indexOf(kind));

async function countScope(warehouse: Warehouse): Promise<number> {
  const [row] = await warehouse.query<{ n: string }>({ sql: 'SELECT uniqExact(identifier) AS n FROM identity_scope' });
  return Number(row?.n ?? 0);
}
