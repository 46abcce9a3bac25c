import type { Redis } from 'ioredis';
import { campaignBudgetKey, dayBudgetKey, lineItemBudgetKey } from '../../proto/keys.ts';
import type { Micros } from '../../proto/money.ts';
import type { LiveLineItem } from '../../proto/snapshot.ts';
import type { Metrics } from '../metrics.ts';
import { createScript } from '../redis.ts';
import { DAY_MEMORY_S, LEASED_KEY, leaseEndsKey, leaseName, leasesKey, NO_DAY, REAPER_KEY } from './keys.ts';

/** The escrow of budgets as it is kept in Redis: many leases of one campaign in one call. */
export interface LeaseBook {
  /** Micros of each entry that were given back, granted or left; null where Redis did not say. Never rejects. */
  turn(
    campaign: { readonly id: string; readonly limit: Micros | null },
    entries: readonly Entry[],
  ): Promise<readonly Micros[] | null>;
  /** Gives back what ended leases of dead workers hold. Rejects where Redis is away. */
  reap(): Promise<void>;
}

/** Given back from a lease; asked for; left with us for longer, since nothing of it was used. */
export interface Entry {
  readonly way: 'back' | 'ask' | 'extend';
  readonly lineItem: string;
  /** yyyymmdd where a daily budget limits it, or NO_DAY. */
  readonly day: string;
  readonly budget: LiveLineItem['budget'];
  readonly name: string;
  readonly micros: Micros;
  /** Micros that one bid needs. */
  readonly need: Micros;
  readonly life: number;
}

export interface LeaseBookOptions {
  /** Unique over all workers and time. */
  readonly worker: string;
  /** Workers that share the budgets. */
  readonly workers: number;
  /** How long a bid's fate may stay unknown before its reservation is given up, ms. */
  readonly reservationMs: number;
  readonly reapMs: number;
}

const REAP_BATCH = 100;
/** Campaigns that are looked for at once, and how often in a row. */
const LOOK_BATCH = 100;
const MOST_LOOKS = 10;
/** Of these so many are looked at at the same time: of a hundred, once a second, whoever was asked for then waited behind three hundred commands. */
const LOOKS_AT_ONCE = 4;
/** A look that was begun and not ended, since its worker died, is made again after this. */
const LOOK_AGAIN_MS = 10_000;

export function createLeaseBook(redis: Redis, metrics: Metrics, options: LeaseBookOptions): LeaseBook {
  const { worker, workers, reservationMs, reapMs } = options;
  const lease = createScript(redis, 'lease');
  const reapLeases = createScript(redis, 'reap');
  const watch = createScript(redis, 'watch');
  /** Of Redis' clock from our monotonic one, ms; null until we know. */
  let offset: number | null = null;
  return { turn, reap };

  async function turn(
    { id: campaign, limit }: { readonly id: string; readonly limit: Micros | null },
    entries: readonly Entry[],
  ): Promise<readonly Micros[] | null> {
    const keys = [campaignBudgetKey(campaign), leasesKey(campaign), leaseEndsKey(campaign)];
    const args: (string | number)[] = [limitOf(limit), 4 * workers, DAY_MEMORY_S, reservationMs];
    for (const { way, lineItem, day, budget, name, micros, need, life } of entries) {
      const dayKey = day === NO_DAY ? campaignBudgetKey(campaign) : dayBudgetKey(campaign, lineItem, day);
      keys.push(lineItemBudgetKey(campaign, lineItem), dayKey);
      args.push(way, leaseName(lineItem, name), micros, need, limitOf(budget.total), limitOf(budget.daily), life);
    }
    lookLater(campaign, entries);
    try {
      const results = (await lease(keys, args)) as number[];
      offset = (results.pop() as number) - performance.now();
      count(entries, results);
      return results;
    } catch {
      metrics.leases.inc({ result: 'failed' }, entries.length);
      return null;
    }
  }

  /** Before the lease is there: a lease that nobody looks after would be lost with its worker. */
  function lookLater(campaign: string, entries: readonly Entry[]): void {
    const lives = entries.filter(({ way }) => way === 'ask').map(({ life }) => life);
    if (lives.length === 0) return;
    const at = offset === null ? 0 : Math.floor(performance.now() + offset + Math.min(...lives) + reservationMs);
    redis.zadd(LEASED_KEY, 'LT', at, campaign).catch(() => undefined);
  }

  function count(entries: readonly Entry[], results: readonly Micros[]): void {
    entries.forEach(({ way }, at) => {
      const micros = results[at] as Micros;
      if (way === 'back') metrics.leasedMicros.inc({ way: 'returned' }, micros);
      else if (way === 'extend') metrics.leases.inc({ result: micros > 0 ? 'extended' : 'ended' });
      else {
        metrics.leases.inc({ result: micros > 0 ? 'granted' : 'empty' });
        metrics.leasedMicros.inc({ way: 'granted' }, micros);
      }
    });
  }

  async function reap(): Promise<void> {
    if ((await redis.set(REAPER_KEY, worker, 'PX', Math.max(1, reapMs - 100), 'NX')) === null) return;
    for (let looks = 0; looks < MOST_LOOKS; looks++) {
      const now = Number(((await redis.call('TIME')) as string[])[0]) * 1_000;
      const due = await redis.zrangebyscore(LEASED_KEY, '-inf', now, 'LIMIT', 0, LOOK_BATCH);
      for (let first = 0; first < due.length; first += LOOKS_AT_ONCE) {
        const next = due.slice(first, first + LOOKS_AT_ONCE);
        await Promise.all(next.map((campaign) => reapCampaign(campaign, now + LOOK_AGAIN_MS)));
      }
      if (due.length < LOOK_BATCH) return;
    }
  }

  async function reapCampaign(campaign: string, again: number): Promise<void> {
    await redis.zadd(LEASED_KEY, again, campaign);
    const keys = [campaignBudgetKey(campaign), leasesKey(campaign), leaseEndsKey(campaign)];
    const [count, micros, next] = (await reapLeases(keys, [REAP_BATCH])) as [number, number, string];
    await watch([LEASED_KEY], [campaign, again, next]);
    metrics.leases.inc({ result: 'reaped' }, count);
    metrics.leasedMicros.inc({ way: 'reaped' }, micros);
  }
}

function limitOf(limit: Micros | null): Micros | '' {
  return limit ?? '';
}
