/** Rows of the fact tables, as the migrations name their columns. Times are RFC 3339. */

export interface PurchaseRow {
  source: string;
  receipt: string;
  line: string;
  at: string;
  identifier: string;
  store: string;
  product: string;
  category: string;
  department: string;
  brand: string;
  /** Decimal(18, 3) */
  quantity: string;
  /** micros */
  amount: number;
  currency: string;
  deleted: 0 | 1;
}

export interface PingRow {
  source: string;
  identifier: string;
  at: string;
  lat: number;
  lon: number;
  error: number;
  class: string;
  /** UInt64 */
  cell: string;
}

export interface PageRow {
  source: string;
  id: string;
  identifier: string;
  at: string;
  url: string;
  title: string;
}

export interface RedemptionRow {
  source: string;
  id: string;
  identifier: string;
  at: string;
  coupon: string;
  promotion: string;
}

export interface ActionRow {
  source: string;
  id: string;
  identifier: string;
  at: string;
  name: string;
  store: string;
  item: string;
  value: string;
}

export interface AttributeRow {
  source: string;
  identifier: string;
  name: string;
  text: string;
  number: number | null;
  at: string;
}

export interface EdgeRow {
  a: string;
  kind_a: string;
  b: string;
  kind_b: string;
  source: string;
  first_seen: string;
  /** 0 to 1 */
  confidence: number;
}

export interface SealedRow {
  identifier: string;
  kind: string;
  source: string;
  sealed: string;
}

export interface ProductRow {
  source: string;
  product: string;
  name: string;
  category: string;
  department: string;
  brand: string;
  deleted: 0 | 1;
}

export interface StockRow {
  source: string;
  store: string;
  product: string;
  at: string;
  /** Decimal(18, 3) */
  quantity: string;
  /** micros */
  price: number | null;
  currency: string;
  deleted: 0 | 1;
}

/** What a person said by a consent string, see the migration of `consents`. */
export interface ConsentRow {
  identifier: string;
  kind: string;
  purpose: string;
  advertiser: string;
  at: string;
  granted: 0 | 1;
  expires: string;
  source: string;
  document: string;
  version: string;
  channel: string;
  actor: string;
  id: string;
}

export interface QuarantineRow {
  id: string;
  at: string;
  source: string;
  import: string;
  type: string;
  line: number;
  pointer: string;
  value: string;
  code: string;
  message: string;
  original: string;
}

export interface Tables {
  readonly purchases: PurchaseRow[];
  readonly pings: PingRow[];
  readonly pages: PageRow[];
  readonly redemptions: RedemptionRow[];
  readonly actions: ActionRow[];
  readonly attributes: AttributeRow[];
  readonly products: ProductRow[];
  readonly stocks: StockRow[];
  readonly edges: EdgeRow[];
  readonly consents: ConsentRow[];
  readonly sealed: SealedRow[];
  readonly quarantine: QuarantineRow[];
}

export type TableName = keyof Tables;
