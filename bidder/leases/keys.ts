/** Names in Redis on which only bidders must agree. The slot tag keeps a campaign's leases with its budgets. */

/** Hash: `<line item>/<lease>` → micros that the lease still holds. */
export const leasesKey = (campaign: string): string => `bl:{${campaign}}`;
/** Sorted set of the same names by the time from which they are reaped. */
export const leaseEndsKey = (campaign: string): string => `bx:{${campaign}}`;
/** Sorted set of the campaigns that have leases, by the time (ms, clock of Redis) at which one of them may have ended. */
export const LEASED_KEY = 'walkin:leased';
/** Held by the worker that reaps in this second. */
export const REAPER_KEY = 'walkin:reaper';

/** A lease is named `<day>.<unique>`; without a daily budget the day is `-`. */
export const NO_DAY = '-';

export const leaseName = (lineItem: string, lease: string): string => `${lineItem}/${lease}`;
export const isDayLease = (lease: string): boolean => !lease.startsWith(NO_DAY);

/** Day budgets are kept this long after they were last touched. */
export const DAY_MEMORY_S = 14 * 86_400;
