import type { ErrorCode, Fault } from '../problem.ts';
import type { Kind, ThingBodies, Things } from '../things/things.ts';

const UNKNOWN = {
  advertiser: 'unknown_advertiser',
  store: 'unknown_store',
  'store-group': 'unknown_store_group',
  geofence: 'unknown_geofence',
  source: 'unknown_source',
  segment: 'unknown_segment',
  lookalike: 'unknown_lookalike',
  exchange: 'unknown_exchange',
  'inventory-list': 'unknown_inventory_list',
  list: 'unknown_list',
  campaign: 'unknown_campaign',
  'line-item': 'unknown_line_item',
  creative: 'unknown_creative',
} as const satisfies Partial<Record<Kind, ErrorCode>>;

type Referable = keyof typeof UNKNOWN;

/**
 * Faults of ids that must be things of a kind, and of this advertiser or of nobody in particular. Another advertiser's thing
 * is said to be unknown, as it would be to them.
 */
export function referenceFaults(
  things: Things,
  kind: Referable,
  ids: readonly string[] | undefined,
  pointer: string,
  advertiser: string | null,
): Fault[] {
  return (ids ?? []).flatMap((id, index) => referenceFault(things, kind, id, `${pointer}/${index}`, advertiser));
}

export function referenceFault(things: Things, kind: Referable, id: string, pointer: string, advertiser: string | null): Fault[] {
  const thing = things.get<Kind>(kind, id);
  const owner = thing === undefined ? undefined : ownerOf(thing.body);
  if (thing !== undefined && (owner === null || advertiser === null || owner === advertiser)) return [];
  return [{ pointer, code: UNKNOWN[kind], message: `there is no ${kind.replace('-', ' ')} ${id}` }];
}

function ownerOf(body: ThingBodies[Kind]): string | null {
  return 'advertiser' in body ? (body.advertiser ?? null) : null;
}
