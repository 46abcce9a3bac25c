import type { Limits } from '../../dmp/clickhouse/warehouse.ts';

/** Of one pass over the facts, however many rules it answers. */
export const LIMITS: Limits = { seconds: 180, memoryBytes: 4 * 1024 ** 3 };
/** Of a rule that was found to be too much for the others: it fails alone. */
export const ALONE: Limits = { seconds: 60, memoryBytes: 4 * 1024 ** 3 };
