import type { Redis } from 'ioredis';
import { encodeProfile, hourOf, NOTHING_ADDED } from '../../proto/profile.ts';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import { nextSequence, putValues } from './values.ts';

const LIMITS = { seconds: 60 };

/**
 * Profiles whose newest word to anybody on profiles, personalised ads or their location is a withdrawal. Which segments they may be in is a matter of
 * whom they said it to: an evaluation knows, an event as it arrives does not, so it adds none.
 */
export async function profilesNothingAdded(warehouse: Warehouse): Promise<ReadonlySet<number>> {
  const who = 'SELECT identifier, profile FROM identities FINAL WHERE identifier IN (SELECT identifier FROM consents)';
  const sql = `SELECT DISTINCT profile FROM (
      SELECT profile, argMax(granted, (at, recorded, granted = 0)) AS word
      FROM (SELECT identifier, purpose, advertiser, at, recorded, granted FROM consents FINAL WHERE purpose IN ('profiles', 'personalised_ads', 'location')) AS said
      INNER JOIN (${who}) AS who USING identifier GROUP BY profile, purpose, advertiser)
    WHERE word = 0`;
  return new Set((await warehouse.query<{ profile: number }>({ sql }, LIMITS)).map(({ profile }) => profile));
}

export interface Named {
  readonly identifier: string;
  /** 0: not known. */
  readonly profile: number;
  readonly anchor: string;
}

/** Takes all memberships of people away at once and lets events add none. The next publication writes what may be known. */
export async function withholdSegments(redis: Redis, people: readonly Named[], now: number): Promise<void> {
  const sequence = await nextSequence(redis);
  const values = (known: boolean) =>
    people
      .filter(({ profile }) => profile > 0 === known)
      .map(({ identifier, profile, anchor }) => ({
        identifiers: [identifier],
        value: encodeProfile({ profile, anchor, consent: NOTHING_ADDED, hour: hourOf(now), memberships: [], sequence }),
      }));
  await putValues(redis, values(true), { sequence, now });
  // Nothing renews the mark of who is not known, and it must hold for as long as that is so.
  await putValues(redis, values(false), { sequence, now, forever: true });
}
