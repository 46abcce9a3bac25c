import type { KeptAdvertiser } from '../advertisers/advertiser.ts';
import type { Campaign } from '../campaigns/campaign.ts';
import type { Creative } from '../campaigns/creative.ts';
import type { LineItem } from '../campaigns/line-item.ts';
import type { Approval } from '../creatives/approval.ts';
import type { Destination } from '../destinations/destination.ts';
import type { Exchange } from '../exchanges/exchange.ts';
import type { Geofence } from '../geofences/geofence.ts';
import type { InventoryList } from '../inventory-lists/inventory-list.ts';
import type { ApiKey } from '../keys/api-key.ts';
import type { List } from '../lists/list.ts';
import type { Rates } from '../rates/rates.ts';
import type { Lookalike, LookalikeFit } from '../segments/lookalike.ts';
import type { Segment } from '../segments/segment.ts';
import type { Source } from '../sources/source.ts';
import type { Store } from '../stores/store.ts';
import type { StoreGroup } from '../stores/store-group.ts';
import type { AdsTxt } from '../supply/ads-txt.ts';
import type { SellersJson } from '../supply/sellers-json.ts';

/** Things that change, by kind: each is kept as append-only revisions, the latest of which is the thing. */
export interface ThingBodies {
  readonly advertiser: KeptAdvertiser;
  readonly store: Store;
  readonly 'store-group': StoreGroup;
  readonly geofence: Geofence;
  readonly source: Source;
  readonly segment: Segment;
  readonly lookalike: Lookalike;
  /** Id: the look-alike's. */
  readonly 'lookalike-fit': LookalikeFit;
  readonly exchange: Exchange;
  readonly destination: Destination;
  readonly campaign: Campaign;
  readonly 'inventory-list': InventoryList;
  readonly list: List;
  readonly 'line-item': LineItem;
  readonly creative: Creative;
  /** Id: `<creative>.<exchange>`. */
  readonly approval: Approval;
  readonly 'api-key': ApiKey;
  readonly 'ads-txt': AdsTxt;
  readonly 'sellers-json': SellersJson;
  readonly rates: Rates;
}

export type Kind = keyof ThingBodies;

export interface Thing<Body> {
  readonly id: string;
  /** From 1; the ETag is `"<revision>"`. */
  readonly revision: number;
  /** Epoch ms of the first and of this revision. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly body: Body;
}

/** The write met another revision than it was made for. */
export class RevisionConflict extends Error {
  override readonly name = 'RevisionConflict';
  readonly current: number;
  constructor(current: number) {
    super(`the current revision is ${current}`);
    this.current = current;
  }
}

export interface Write {
  readonly actor: string;
  /** Expected current revision, 0 = must not exist. Absent: whatever it is. */
  readonly expected?: number;
  /**
   * Asked when its turn has come, where all that was written of the kind before is known and nothing more can be: throws where what was
   * checked before does not hold any more. Absent: it cannot come to that.
   */
  readonly still?: () => void;
}

/** The latest of every thing, in memory, kept fresh over THINGS_CHANNEL; writes go to ClickHouse first. */
export interface Things {
  get<K extends Kind>(kind: K, id: string): Thing<ThingBodies[K]> | undefined;
  /** In order of creation. */
  list<K extends Kind>(kind: K): readonly Thing<ThingBodies[K]>[];
  put<K extends Kind>(kind: K, id: string, body: ThingBodies[K], write: Write): Promise<Thing<ThingBodies[K]>>;
  /** Many at once, one insert: for imports. */
  putAll<K extends Kind>(kind: K, things: readonly { id: string; body: ThingBodies[K] }[], write: Write): Promise<void>;
  remove(kind: Kind, id: string, write: Write): Promise<void>;
  onChange(listener: (kind: Kind, id: string) => void): void;
  close(): Promise<void>;
}
