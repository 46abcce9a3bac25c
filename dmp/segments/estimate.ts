import type { Statement, Warehouse } from '../clickhouse/warehouse.ts';
import { compileRule, type RuleScope } from './compile.ts';
import type { Rule } from './rule.ts';

export interface Estimate {
  /** People, or null where there are fewer than MINIMUM. */
  readonly size: number | null;
  readonly belowMinimum: boolean;
  readonly method: 'exact' | 'sample';
  /** 95 % interval of a sample's size. */
  readonly interval: { readonly lo: number; readonly hi: number } | null;
  /** Everybody known. */
  readonly profiles: number;
  readonly seconds: number;
}

/** The least size that is said: of fewer people one could be known. */
const MINIMUM = 10;
/** With more identifiers than this a sample is counted. */
const EXACT_UP_TO = 2_000_000;

const PROFILES = { sql: 'SELECT uniqExact(profile) AS n FROM identities FINAL' };
const ABOUT_PROFILES = { sql: 'SELECT uniqCombined(profile) AS n FROM identities' };

const LIMITS = { seconds: 20, memoryBytes: 2 * 1024 ** 3 };

/** How many people a rule selects now. */
export async function estimate(
  warehouse: Warehouse,
  rule: Rule,
  scope: RuleScope,
  exactUpTo: number = EXACT_UP_TO,
): Promise<Estimate> {
  const began = performance.now();
  const identifiers = await count(warehouse, { sql: 'SELECT count() AS n FROM identities' });
  const every = sampleEvery(identifiers, exactUpTo);
  const profiles = await count(warehouse, every === 1 ? PROFILES : ABOUT_PROFILES);
  const rows = compileRule(rule, every === 1 ? scope : { ...scope, every });
  const found = await count(warehouse, { sql: `SELECT count() AS n FROM (${rows.sql})`, params: rows.params });
  const interval = every === 1 ? null : wilson(found, Math.round(profiles / every));
  const size = found * every;
  const belowMinimum = size < MINIMUM;
  return {
    size: belowMinimum ? null : size,
    belowMinimum,
    method: every === 1 ? 'exact' : 'sample',
    interval:
      interval === null || belowMinimum
        ? null
        : { lo: Math.floor(interval.lo * profiles), hi: Math.ceil(interval.hi * profiles) },
    profiles,
    seconds: (performance.now() - began) / 1000,
  };
}

async function count(warehouse: Warehouse, statement: Statement): Promise<number> {
  const [row] = await warehouse.query<{ n: string }>(statement, LIMITS);
  return Number(row?.n ?? 0);
}

/** Profile ids are dense, so those that a number divides are a fair sample. */
function sampleEvery(identifiers: number, exactUpTo: number): number {
  return Math.max(1, Math.ceil(identifiers / exactUpTo));
}

const Z = 1.959964;

/** Wilson's score interval of a share. */
function wilson(hits: number, of: number): { lo: number; hi: number } {
  if (of === 0) return { lo: 0, hi: 0 };
  const p = hits / of;
  const middle = p + (Z * Z) / (2 * of);
  const reach = Z * Math.sqrt((p * (1 - p)) / of + (Z * Z) / (4 * of * of));
  const scale = 1 + (Z * Z) / of;
  return { lo: Math.max(0, (middle - reach) / scale), hi: Math.min(1, (middle + reach) / scale) };
}
