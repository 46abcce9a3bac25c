import type { Redis } from 'ioredis';
import { recordActs } from '../audit/record.ts';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import { segmentsOf } from '../sources/lineage.ts';
import type { Things } from '../things/things.ts';

export const USES = ['line-item', 'line-item-ended', 'export', 'lookup'] as const;

/** One use of a segment: for whom, by what. */
export interface SegmentUse {
  readonly segment: string;
  readonly advertiser: string;
  readonly use: (typeof USES)[number];
  /** Of the line item or destination. */
  readonly id: string;
  readonly version: number;
  readonly people: number;
  readonly actor: string;
}

interface Deps {
  readonly warehouse: Warehouse;
  readonly now: () => number;
}

/** Writes uses down, in their table and as acts in the audit log. Await it before the use, which must not happen unrecorded. */
export async function recordUses(deps: Deps, uses: readonly SegmentUse[]): Promise<void> {
  const at = new Date(deps.now()).toISOString();
  await deps.warehouse.insert(
    'segment_uses',
    uses.map((use) => ({ at, ...use })),
  );
  // One by one, a campaign of a thousand line items would wait for a thousand inserts before it is live.
  await recordActs(
    deps,
    uses.map(({ segment, advertiser, actor, use, id }) => ({
      by: { principal: { id: actor, advertiser, scopes: [] }, id: `${use}:${id}` },
      act: { action: 'useSegment', kind: 'segments', id: segment },
    })),
  );
}

/** Set in Redis of `<line item> <segment>` that are known to be live. */
const LIVE_KEY = 'walkin:segment-uses';
const AT_ONCE = 1_000;

/** Notes which line items began or ceased to be live with a segment, by which they pick people or leave them out. Call with those that are live now. */
export async function noteLive(deps: Deps & { readonly redis: Redis; readonly things: Things }, live: readonly string[]) {
  const { redis, things } = deps;
  const items = live.flatMap((id) => things.get('line-item', id) ?? []);
  const pairs = new Set(items.flatMap(({ id, body }) => segmentsOf(body).map((segment) => `${id} ${segment}`)));
  const before = new Set(await redis.smembers(LIVE_KEY));
  const uses = [
    ...[...pairs].filter((pair) => !before.has(pair)).map((pair) => lineItemUse(things, pair, 'line-item')),
    ...[...before].filter((pair) => !pairs.has(pair)).map((pair) => lineItemUse(things, pair, 'line-item-ended')),
  ];
  if (uses.length === 0) return;
  await recordUses(deps, uses);
  // Written first: cut off here they are written once more, which is better than never.
  for (let at = 0; at < uses.length; at += AT_ONCE) {
    const noting = redis.pipeline();
    for (const { use, id, segment } of uses.slice(at, at + AT_ONCE)) {
      if (use === 'line-item') noting.sadd(LIVE_KEY, `${id} ${segment}`);
      else noting.srem(LIVE_KEY, `${id} ${segment}`);
    }
    await noting.exec();
  }
}

function lineItemUse(things: Things, pair: string, use: SegmentUse['use']): SegmentUse {
  const [id = '', segment = ''] = pair.split(' ');
  const campaign = things.get('line-item', id)?.body.campaign ?? '';
  const advertiser = things.get('campaign', campaign)?.body.advertiser ?? '';
  return { segment, advertiser, use, id, version: 0, people: 0, actor: 'publisher' };
}

export interface RecordedUse extends SegmentUse {
  readonly at: string;
}

/** Newest first; with `advertiser` those for that one only. */
export async function readUses(
  warehouse: Warehouse,
  segment: string,
  { limit, before, advertiser }: { readonly limit: number; readonly before: number | null; readonly advertiser: string | null },
): Promise<RecordedUse[]> {
  const sql = `SELECT toString(u.at) AS at, toString(segment) AS segment, toString(advertiser) AS advertiser, toString(use) AS use, id, version, people,
      toString(actor) AS actor FROM segment_uses AS u
    WHERE segment = {segment:String} AND u.at < fromUnixTimestamp64Milli({before:Int64})
      ${advertiser === null ? '' : 'AND advertiser = {advertiser:String}'}
    ORDER BY u.at DESC, use, id LIMIT {limit:UInt32}`;
  const params = { segment, limit, before: before ?? Date.UTC(2299, 0, 1), ...(advertiser === null ? {} : { advertiser }) };
  const rows = await warehouse.query<RecordedUse>({ sql, params });
  return rows.map((row) => ({ ...row, at: `${row.at.replace(' ', 'T')}Z` }));
}
