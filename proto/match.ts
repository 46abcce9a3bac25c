/**
 * A match of user sync, an entry of the stream of ad events: the exchange's id of a browser and ours, both as keys. The dmp keeps
 * it as an edge between the two, whose source names the exchange: these edges are the match table.
 */
export interface Match {
  readonly type: 'sync';
  readonly exchange: string;
  /** Epoch ms. */
  readonly at: number;
  /** Key of the identifier `exchange`. */
  readonly user: string;
  /** Key of the identifier `cookie`. */
  readonly cookie: string;
  /** The same two under peppers of before, where some are still honoured. */
  readonly older?: readonly { readonly user: string; readonly cookie: string }[];
}

/** Source of an exchange's matches among the edges. */
export function matchSource(exchange: string): string {
  return `sync:${exchange}`;
}
