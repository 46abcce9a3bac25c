import type { Kind, ThingBodies, Things } from './things.ts';

export interface Reference {
  readonly kind: Kind;
  readonly id: string;
}

type ReferencesOf = { readonly [K in Kind]: (body: ThingBodies[K]) => readonly Reference[] };

const many = (kind: Kind, ids: readonly string[] | undefined): Reference[] => (ids ?? []).map((id) => ({ kind, id }));
const one = (kind: Kind, id: string | null | undefined): Reference[] => (id === null || id === undefined ? [] : [{ kind, id }]);

/** Which things a body names. What is named cannot be deleted. */
const REFERENCES: ReferencesOf = {
  advertiser: () => [],
  source: (source) => [...one('advertiser', source.advertiser), ...many('advertiser', source.advertisers ?? undefined)],
  exchange: () => [],
  // What an exchange said keeps neither it nor the creative from being deleted.
  approval: () => [],
  'ads-txt': () => [],
  'sellers-json': () => [],
  rates: () => [],
  'api-key': (key) => [...one('advertiser', key.advertiser), ...one('exchange', key.exchange)],
  store: (store) => one('advertiser', store.advertiser),
  geofence: (geofence) => one('advertiser', geofence.advertiser),
  creative: (creative) => one('advertiser', creative.advertiser),
  'inventory-list': (list) => one('advertiser', list.advertiser),
  list: (list) => [...one('advertiser', list.advertiser), ...one('source', list.source)],
  destination: ({ advertiser, exchange, segments }) => [
    ...one('advertiser', advertiser),
    ...one('exchange', exchange),
    ...many(
      'segment',
      segments.map(({ segment }) => segment),
    ),
  ],
  campaign: (campaign) => one('advertiser', campaign.advertiser),
  'store-group': (group) => [...one('advertiser', group.advertiser), ...many('store', group.stores)],
  segment: (segment) => [...one('advertiser', segment.advertiser), ...ruleReferences(segment.rule)],
  lookalike: (lookalike) => [
    ...one('advertiser', lookalike.advertiser),
    ...one('segment', lookalike.seed),
    ...ruleReferences(lookalike.population),
  ],
  'lookalike-fit': () => [],
  'line-item': (lineItem) => {
    const { targeting } = lineItem;
    return [
      ...one('campaign', lineItem.campaign),
      ...many('creative', lineItem.creatives),
      ...many('exchange', targeting.exchanges),
      ...many('segment', targeting.segments?.flat()),
      ...many('segment', targeting.excludedSegments),
      ...many('store', targeting.stores),
      ...many('store', targeting.promotedStores),
      ...many('store-group', targeting.storeGroups),
      ...many('geofence', targeting.geofences),
      ...many('inventory-list', targeting.lists?.include),
      ...many('inventory-list', targeting.lists?.exclude),
      ...ruleReferences(targeting.segmentRule),
    ];
  },
};

/** Members that name one thing. */
const RULE_MEMBER: Readonly<Record<string, Kind>> = {
  segment: 'segment',
  list: 'list',
  model: 'lookalike',
  campaign: 'campaign',
};

const RULE_MEMBERS: Readonly<Record<string, Kind>> = {
  stores: 'store',
  storeGroups: 'store-group',
  geofences: 'geofence',
  sources: 'source',
};

/** A rule is a tree in which things are always named by the same members, whatever the part. */
function ruleReferences(part: unknown): Reference[] {
  if (Array.isArray(part)) return part.flatMap(ruleReferences);
  if (typeof part !== 'object' || part === null) return [];
  return Object.entries(part).flatMap(([name, value]) => {
    const only = RULE_MEMBER[name];
    if (only !== undefined && typeof value === 'string') return one(only, value);
    if (name === 'model' && typeof value === 'string') return one('lookalike', value);
    const kind = RULE_MEMBERS[name];
    return kind !== undefined && Array.isArray(value) ? many(kind, value.map(String)) : ruleReferences(value);
  });
}

/** The things that name this one. */
export function usersOf(things: Things, kind: Kind, id: string): Reference[] {
  const names = (reference: Reference) => reference.kind === kind && reference.id === id;
  return (Object.keys(REFERENCES) as Kind[]).flatMap((user) =>
    things.list(user).flatMap((thing) => {
      const references = REFERENCES[user] as (body: unknown) => readonly Reference[];
      return references(thing.body).some(names) ? [{ kind: user, id: thing.id }] : [];
    }),
  );
}
