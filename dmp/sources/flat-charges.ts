import { campaignBudgetKey, flatChargesKey, lineItemBudgetKey } from '../../proto/keys.ts';
import type { DmpDeps } from '../deps.ts';
import { dataCosts } from './cost-query.ts';

type Deps = Pick<DmpDeps, 'warehouse' | 'redis' | 'now'>;

const DAY_MS = 86_400_000;
/** Days that are looked at again when they are over, since impressions come late and change how a day's price is divided. */
const DAYS = 3;
const MEMORY_S = 14 * 86_400;

// KEYS 1 what was booked of the campaign (hash), 2 its budget, 3 that of the line item.
// ARGV 1 source, line item and day, 2 micros to be booked of them in all, 3 micros that the warehouse knows as booked, 4 memory in seconds.
// Books what is missing. Atomic, so that dying in the middle books nothing twice. A budget that Redis does not know is left to the
// snapshot's publisher, which brings it from the warehouse.
const BOOK = `
local more = tonumber(ARGV[2]) - tonumber(redis.call('hget', KEYS[1], ARGV[1]) or ARGV[3])
if more ~= 0 then
  for i = 2, 3 do
    if redis.call('hexists', KEYS[i], 'spent') == 1 then redis.call('hincrby', KEYS[i], 'spent', string.format('%.0f', more)) end
  end
end
redis.call('hset', KEYS[1], ARGV[1], ARGV[2])
redis.call('expire', KEYS[1], ARGV[4])
return 1`;

export interface FlatCharge {
  /** yyyy-mm-dd */
  readonly day: string;
  readonly source: string;
  readonly campaign: string;
  readonly line_item: string;
  readonly micros: number;
}

/**
 * Charges the flat prices of the days that are over to the line items that stood on their sources, as the report of data costs divides
 * them. Repeated it books what is different from before, which may be less. For one process at a time.
 */
export async function bookFlatPrices(deps: Deps): Promise<number> {
  const { warehouse, redis, now } = deps;
  const to = Math.floor(now() / DAY_MS) * DAY_MS;
  const from = to - DAYS * DAY_MS;
  const booked = await readBooked(deps, from, to);
  const owed = await owedOf(deps, from, to);
  // What nobody owes any more is given back.
  for (const [place, charge] of booked) if (!owed.has(place)) owed.set(place, { ...charge, micros: 0 });
  const changed = [...owed].filter(([place, { micros }]) => micros !== (booked.get(place)?.micros ?? 0));
  for (const [place, { campaign, line_item, micros }] of changed) {
    const keys = [flatChargesKey(campaign), campaignBudgetKey(campaign), lineItemBudgetKey(campaign, line_item)];
    await redis.eval(BOOK, keys.length, ...keys, place, micros, booked.get(place)?.micros ?? 0, MEMORY_S);
  }
  const written = new Date(now()).toISOString();
  await warehouse.insert(
    'flat_charges',
    changed.map(([, charge]) => ({ ...charge, written })),
  );
  return changed.length;
}

const placeOf = ({ day, source, campaign, line_item }: FlatCharge): string => [source, campaign, line_item, day].join('\n');

async function owedOf({ warehouse, now }: Deps, from: number, to: number): Promise<Map<string, FlatCharge>> {
  const { charges } = await dataCosts(warehouse, { from, to, advertiser: null, campaign: null }, now());
  const owed = new Map<string, FlatCharge>();
  for (const { model, day, source, campaign, lineItem, micros } of charges) {
    if (model !== 'flat') continue;
    const charge = { day, source, campaign, line_item: lineItem, micros };
    const place = placeOf(charge);
    owed.set(place, { ...charge, micros: micros + (owed.get(place)?.micros ?? 0) });
  }
  return owed;
}

async function readBooked({ warehouse }: Deps, from: number, to: number): Promise<Map<string, FlatCharge>> {
  const sql = `SELECT toString(day) AS day, toString(source) AS source, toString(campaign) AS campaign, toString(line_item) AS line_item,
      toFloat64(micros) AS micros
    FROM flat_charges FINAL WHERE flat_charges.day >= toDate({from:String}) AND flat_charges.day < toDate({to:String})`;
  const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);
  const rows = await warehouse.query<FlatCharge>({ sql, params: { from: dayOf(from), to: dayOf(to) } });
  return new Map(rows.map((row) => [placeOf(row), row]));
}
