import type { Part } from './clauses.ts';
import type { AskedKind, DimensionName } from './meta.ts';

/** What of a targeting a dimension is, by its name there. */
export const VALUE_PARTS = {
  exchange: 'exchanges',
  inventory: 'inventory',
  deviceType: 'deviceTypes',
  os: 'os',
  connectionType: 'connectionTypes',
  language: 'languages',
} as const satisfies Record<DimensionName, Part>;

/** And what a kind of texts is. */
export const TEXT_PARTS = {
  make: 'makes',
  model: 'models',
  browser: 'browsers',
  carrier: 'carriers',
  geo: 'geo',
  category: 'content',
  contentLanguage: 'content',
  userData: 'userData',
  eid: 'eids',
  deal: 'deals',
  lists: 'lists',
} as const satisfies Record<AskedKind, Part>;
