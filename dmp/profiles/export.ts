import type { DmpDeps } from '../deps.ts';
import { PLACES } from '../erasures/places.ts';
import type { PersonKeys } from './person.ts';
import { SEEN, type Sight, sightParams } from './sight.ts';

const LIMITS = { seconds: 120 };
/** All rows of a person that a key may see, as lines of JSON; each names its table. The places are those of an erasure. */
export async function* exportLines(
  { warehouse }: Pick<DmpDeps, 'warehouse'>,
  person: PersonKeys,
  sight: Sight,
): AsyncGenerator<string> {
  const params = { ...sightParams(sight), keys: person.keys, profile: person.profile };
  const tables = PLACES.filter(({ made }) => made !== true).map(({ table, keys }) => ({
    table,
    where: `${keys[0]} IN {keys:Array(UUID)} AND ${seen(table, sight)}`,
  }));
  for (const { table, where } of [
    ...tables,
    { table: 'memberships', where: `profile = {profile:UInt32} AND ${SEEN.segment()}` },
  ]) {
    const rows = await warehouse.query<object>({ sql: `SELECT * FROM ${table} FINAL WHERE ${where}`, params }, LIMITS);
    for (const row of rows) yield `${JSON.stringify({ table, ...row })}\n`;
  }
}

function seen(table: string, sight: Sight): string {
  if (table === 'visits') return SEEN.visit(sight);
  if (table === 'ad_events') return SEEN.bid(sight);
  if (table === 'consents') return SEEN.word(sight);
  // Whose number it is was shown; which other identifiers there are is what sources have said.
  if (table === 'identities') return sight.sources === null ? '1' : '0';
  return SEEN.source(sight);
}
